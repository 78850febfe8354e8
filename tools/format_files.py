"""Writes the files that follow from the operator table: the JSON Schema and docs/operators.md.

Run it after a change to the table; a test fails where they are out of date. ``--golden`` also rewrites the golden file of the current format
version, which is only right until that version is released.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cg_ir.operators import OPERATORS, OPSET, REQUIRED, Attribute, Operator
from cg_ir.schema import SCHEMA_FILE, schema_text

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "packages" / "cg-ir"

KINDS = {
    "source": "Sources",
    "sink": "Sinks",
    "conv": "Convolutions",
    "matmul": "Matrix products",
    "attention": "Attention",
    "recurrent": "Recurrent layers",
    "embedding": "Embeddings",
    "norm": "Normalisations",
    "activation": "Activations",
    "pool": "Pooling",
    "elementwise": "Elementwise arithmetic",
    "reduce": "Reductions",
    "join": "Joining",
    "layout": "Layout",
    "pad": "Padding",
    "resize": "Resizing",
    "gather": "Gathering and scattering",
    "custom": "Outside the vocabulary",
}


def first_paragraph(function: object) -> str:
    """The first paragraph of a docstring on one line."""
    return " ".join((function.__doc__ or "").strip().split("\n\n")[0].split())


def arity(operator: Operator) -> str:
    low, high = operator.arity
    if low == high:
        return str(low)
    return f"{low} or more" if high is None else f"{low} to {high}"


def default(attribute: Attribute) -> str:
    if attribute.default is REQUIRED:
        return "required"
    if attribute.default is None:
        return "none"
    if attribute.default == ():
        return "[]"
    text = json.dumps(attribute.default)
    return f"{text} each" if attribute.length else text


def kind(attribute: Attribute) -> str:
    text = {"ints": "integers", "floats": "numbers", "int": "integer", "float": "number", "bool": "boolean"}.get(
        attribute.kind, attribute.kind
    )
    if attribute.minimum is not None:
        text += f" ≥ {attribute.minimum}"
    return text


def section(operator: Operator) -> list[str]:
    """One operator of the reference."""
    facts = [f"inputs: {arity(operator)}"]
    if operator.commutes:
        facts.append("inputs commute")
    if operator.layout:
        facts.append("layout operator")
    facts.append("ONNX operator" if operator.onnx else "not in ONNX under this name")
    lines = [f"### {operator.name}", "", operator.doc, "", "; ".join(facts) + ".", ""]
    lines.append(f"- Shape: {first_paragraph(operator.shape)}")
    for title, rule in (
        ("Further outputs", operator.further),
        ("Parameters", operator.params),
        ("MACs", operator.macs),
    ):
        if rule.__name__ not in ("none", "one_output"):
            lines.append(f"- {title}: {first_paragraph(rule)}")
    lines.append("")
    if operator.attributes:
        lines += ["| attribute | type | default | meaning |", "|---|---|---|---|"]
        for name, attribute in operator.attributes.items():
            meaning = attribute.doc
            if attribute.choices:
                meaning += f" ({', '.join(attribute.choices)})"
            lines.append(f"| `{name}` | {kind(attribute)} | {default(attribute)} | {meaning} |")
        lines.append("")
    return lines


def operator_reference() -> str:
    """docs/operators.md."""
    lines = [
        f"# Operators of opset {OPSET}",
        "",
        "<!-- Written by tools/format_files.py from the operator table; edit the table instead. -->",
        "",
        f"The {len(OPERATORS)} operators of the [graph format](format.md). Shapes are written for batch size 1; `n` is the batch. "
        "Where no parameters or MACs are named, there are none.",
        "",
    ]
    for key, title in KINDS.items():
        members = [operator for operator in OPERATORS.values() if operator.kind == key]
        lines += [f"## {title}", ""]
        for operator in members:
            lines += section(operator)
    missing = {operator.kind for operator in OPERATORS.values()} - set(KINDS)
    if missing:
        raise SystemExit(f"kinds without a title: {sorted(missing)}")
    return "\n".join(lines).rstrip() + "\n"


def golden_lines() -> list[str]:
    """The golden documents: every operator's samples (packages/cg-ir/tests/material, to be on PYTHONPATH) as JSON Lines."""
    from operator_samples import SAMPLES

    return [json.dumps(sample.graph().to_dict(), ensure_ascii=False) + "\n" for sample in SAMPLES]


def golden_facts(lines: list[str]) -> str:
    """Hash, parameters and MACs of each golden document."""
    from cg_ir import from_json

    graphs = [from_json(line) for line in lines]
    return "".join(f"{graph.hash} {graph.params} {graph.macs} {graph.name}\n" for graph in graphs)


def files() -> dict[Path, str]:
    """The files and what they should hold."""
    return {
        PACKAGE / "src" / "cg_ir" / "schema" / SCHEMA_FILE: schema_text(),
        ROOT / "docs" / "operators.md": operator_reference(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--golden", action="store_true", help="also rewrite the golden file of an unreleased version")
    wanted = files()
    if parser.parse_args().golden:
        lines = golden_lines()
        golden = PACKAGE / "tests" / "golden"
        wanted[golden / "cg-ir-1.0.jsonl"] = "".join(lines)
        wanted[golden / "cg-ir-1.0.txt"] = golden_facts(lines)
    for path, text in wanted.items():
        path.write_text(text, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
