"""Conversion on foreign material: the node cases of the ONNX project, and the page of everything.

    python conformance.py nodes -o nodes.jsonl               # run every case; appends, and skips what the file already has
    python conformance.py table nodes.jsonl --libraries libraries.jsonl --exports exports.jsonl --models language_models.jsonl --times times.jsonl -o page.md

The other files are what `third_party.py`, `exports.py`, `language_models.py` and `conversion_time.py` write.

Each case is a small model with inputs and expected outputs, made by the generator that the installed ``onnx`` ships. It is converted and run
twice: by the network of ``to_module`` and, through ``to_onnx``, by ONNX Runtime; parameters and constants are copied from the file. Numbers
that an operator needs as shapes (axes, sizes, positions) arrive as inputs in many cases; a graph has static shapes, so vectors of integers
and truth values other than the first input become initializers, with the values of the case.
"""

from __future__ import annotations

import argparse
import json
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from conformance_pages import exports, libraries, models, summary, times
from onnx import numpy_helper
from rows import TooSlow, limited, write

import cg_ir
from cg_frontends.onnx_ import copy_weights, from_onnx
from cg_ir import CgError, Graph

_SECONDS = 60
#: Relative tolerance by the coarsest element type of a case.
_TOLERANCE = {"bfloat16": 2e-2, "float16": 5e-3}
_NUMPY_LACKS = ("bfloat16", "float8_e4m3fn", "float8_e5m2")
Case = tuple[str, onnx.ModelProto, list[Any], list[Any], float]


def cases() -> Iterator[Case]:
    """Name, model, inputs, expected outputs and tolerance of every case that has a model."""
    from onnx.backend.test.case.node import collect_testcases

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = collect_testcases(None)
    for case in found:
        if case.model is None:
            continue
        inputs, outputs = ([_array(v) for v in values] for values in case.data_sets[0])
        model, rest = settled(case.model, inputs)
        names = {str(v.dtype) for v in (*inputs, *outputs) if isinstance(v, np.ndarray)}
        yield case.name, model, rest, outputs, max([case.rtol, 1e-3, *(_TOLERANCE.get(n, 0.0) for n in names)])


def _array(value: Any) -> Any:
    if isinstance(value, onnx.TensorProto):
        return numpy_helper.to_array(value)
    return value if isinstance(value, (list, dict)) or value is None else np.asarray(value)


def settled(model: onnx.ModelProto, inputs: Sequence[Any]) -> tuple[onnx.ModelProto, list[Any]]:
    """The model with vectors of integers as initializers, and the inputs that are left."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    kept, rest = [], []
    for position, (value, array) in enumerate(zip(model.graph.input, inputs, strict=False)):
        if position and isinstance(array, np.ndarray) and array.ndim <= 1 and array.dtype.kind in "iub":
            copy.graph.initializer.append(numpy_helper.from_array(array, value.name))
        else:
            kept.append(value)
            rest.append(array)
    del copy.graph.input[:]
    copy.graph.input.extend(kept)
    return copy, rest


def tensor(array: Any) -> torch.Tensor:
    """An array as torch has it, small floats too."""
    array = np.array(array)
    if str(array.dtype) in _NUMPY_LACKS:
        return torch.from_numpy(array.astype(np.float32)).to(getattr(torch, str(array.dtype)))
    return torch.from_numpy(array)


def verdict(found: Sequence[Any], wanted: Sequence[Any], tolerance: float) -> str:
    """``equal``, or in what outputs differ."""
    if len(found) != len(wanted):
        return "number of outputs"
    for a, b in zip(found, wanted, strict=True):
        a = a.float() if isinstance(a, torch.Tensor) and str(a.dtype)[6:] in _NUMPY_LACKS else a
        left, right = np.asarray(a), np.asarray(b)
        if left.shape != right.shape:
            return "shape"
        if not np.allclose(
            left.astype(float), right.astype(float), rtol=tolerance, atol=tolerance / 10, equal_nan=True
        ):
            return "numbers"
    return "equal"


def through_module(
    model: onnx.ModelProto, graph: Graph, inputs: Sequence[Any], wanted: Sequence[Any], tolerance: float
) -> Any:
    """The verdict on the network of ``to_module``, and that network."""
    network = cg_ir.to_module(graph).eval()
    copy_weights(model, network)
    try:
        with torch.no_grad():
            found = network(*map(tensor, inputs))
    except (RuntimeError, ValueError, TypeError, IndexError) as error:
        return f"torch: {' '.join(str(error).split())[:80]}", network
    return verdict(found if isinstance(found, tuple) else (found,), wanted, tolerance), network


def through_onnx(graph: Graph, network: Any, inputs: Sequence[Any], wanted: Sequence[Any], tolerance: float) -> str:
    """The verdict on ONNX Runtime with the model of ``to_onnx``."""
    model = cg_ir.to_onnx(graph, network)
    if any(node.domain == "cg_ir" for node in model.graph.node):
        return "not written"
    options = onnxruntime.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    try:
        session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        found = session.run(None, {v.name: np.array(x) for v, x in zip(session.get_inputs(), inputs, strict=True)})
    except Exception as error:  # ONNX Runtime has its own family of exceptions
        return f"runtime: {' '.join(str(error).split())[:80]}"
    return verdict(found, wanted, tolerance)


def examine(case: Case) -> dict[str, Any]:
    """What became of one case."""
    name, model, inputs, wanted, tolerance = case
    row: dict[str, Any] = {"name": name, "op": model.graph.node[0].op_type, "domain": model.graph.node[0].domain}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            graph = from_onnx(model)
        shapes = [list(node.shape) for node in graph.nodes if node.op == "Output"]
        row["shapes"] = shapes == [list(np.shape(w)) for w in wanted]
        if any(node.op == "Custom" for node in graph.nodes):
            return {**row, "converted": "Custom"}
        row["converted"] = "yes"
        row["module"], network = through_module(model, graph, inputs, wanted, tolerance)
        row["onnx"] = through_onnx(graph, network, inputs, wanted, tolerance)
    except CgError as error:
        return {**row, "converted": row.get("converted", "refused"), "message": " ".join(str(error).split())[:200]}
    return row


def run_nodes(output: Path) -> None:
    """Examine every case."""
    done = {json.loads(line)["name"] for line in output.read_text().splitlines()} if output.exists() else set()
    with output.open("a") as file:
        for case in cases():
            if case[0] in done:
                continue
            try:
                with limited(_SECONDS):
                    row = examine(case)
            except TooSlow:
                row = {"name": case[0], "op": case[1].graph.node[0].op_type, "converted": "too slow"}
            write(file, row)


# --- the page ---------------------------------------------------------------------------------------------------------


HEAD = (
    "# Conformance", "",
    "Conversion on material that nobody here chose for it. `nox -s conformance` writes this page; how counts compare with those of other counters: "
    "{doc}`results/counters`. For torchvision, timm and transformers: {doc}`zoo`.", "",
)  # fmt: skip


def wrong(row: dict[str, Any]) -> bool:
    """Whether a case converted without a word and means something else."""
    differs = ("numbers", "shape", "number of outputs")
    return row["converted"] == "yes" and (not row["shapes"] or row.get("module") in differs)


def kind(row: dict[str, Any]) -> str:
    """The column of a case."""
    if row["converted"] != "yes":
        return row["converted"]
    if wrong(row):
        return "differs"
    return "equal" if row.get("module") == "equal" else "not run"


def page(rows: Sequence[dict[str, Any]]) -> str:
    """The section of the node cases."""
    columns = ("equal", "Custom", "refused", "not run", "differs")
    total, by_op = Counter(map(kind, rows)), defaultdict(Counter)
    for row in rows:
        by_op[row["op"]][kind(row)] += 1
    through = Counter(row.get("onnx", "").split(":")[0] for row in rows)
    lines = [
        "## Node cases of the ONNX project", "",
        f"The {len(rows)} node cases of the ONNX project, made by the generator of onnx {onnx.__version__}, converted by "
        "{py:func}`cg_frontends.onnx_.from_onnx` and run.", "",
        "- *equal*: the network of `to_module`, with the constants of the file, gives the expected outputs.",
        "- *Custom*: the operator, or an attribute of it, is outside the vocabulary; a warning names it.",
        "- *refused*: shapes that depend on data, sequences and strings as inputs, element types that the format does not have.",
        "- *not run*: converted, but PyTorch cannot run it (unsigned integers of 16 bits and more, mostly).",
        "- *differs*: converted without a word, and the outputs are others. The cases are listed below.", "",
        "Vectors of integers and truth values, other than the first input, are given as initializers.", "",
        "| | " + " | ".join(columns) + " | through `to_onnx` and ONNX Runtime equal |",
        "|---|" + "--:|" * (len(columns) + 1),
        f"| all {len(rows)} | " + " | ".join(str(total[c]) for c in columns) + f" | {through['equal']} |", "",
        f"Of the models that `to_onnx` writes, ONNX Runtime runs {through['runtime']} not (small and unsigned element types), and "
        f"{through['numbers'] + through['shape']} give other numbers; {through['not written']} need an operator that ONNX does not have.", "",
        "### Where outputs differ", "",
    ]  # fmt: skip
    lines += [f"- `{row['name']}`: {row.get('module', 'shape')}" for row in rows if wrong(row)] or ["Nowhere."]
    lines += ["", "### By operator", "", "| operator | " + " | ".join(columns) + " |", "|---|" + "--:|" * len(columns)]
    for op in sorted(by_op):
        lines.append(f"| {op} | " + " | ".join(str(by_op[op][c] or "") for c in columns) + " |")
    return "\n".join([*lines, ""])


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    nodes = commands.add_parser("nodes", help="run the node cases of the installed onnx")
    nodes.add_argument("-o", "--output", type=Path, required=True)
    table = commands.add_parser("table", help="render the page")
    table.add_argument("results", type=Path)
    for name in ("libraries", "exports", "models", "times"):
        table.add_argument(f"--{name}", type=Path, required=True)
    table.add_argument("-o", "--output", type=Path, required=True)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.command == "nodes":
        run_nodes(given.output)
        return
    rows = sorted(_rows(given.results), key=lambda row: row["name"])
    parts = {name: _rows(getattr(given, name)) for name in ("libraries", "exports", "models", "times")}
    kinds = Counter(map(kind, rows))
    lines = [
        *HEAD, *summary(kinds["differs"], kinds["equal"], parts["libraries"], parts["exports"], parts["times"]), page(rows),
        *exports(parts["exports"]), *libraries(parts["libraries"]), *models(parts["models"]), *times(parts["times"]), "",
    ]  # fmt: skip
    given.output.write_text("\n".join(lines))


def _rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


if __name__ == "__main__":
    main()
