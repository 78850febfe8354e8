"""Which methods the harness runs on a target."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from cg_ir.errors import CgError
from cg_predict.bench.grouped import Grouped
from cg_predict.bench.methods import Baseline, Chosen, Fitted, Forest, Method, Registered
from cg_predict.bench.references import Reference
from cg_predict.bench.targets import Target, documents
from cg_predict.predictor import Predictor
from cg_predict.tables import LabelledFamily, family_named, read_family

__all__ = ["OURS", "PLAIN", "methods_for"]

OURS, CHOSEN, PLAIN = "ours", "ours, chosen labels", "descriptors + GP"
PROXIES = ("synflow", "jacov", "snip", "grasp", "fisher", "grad_norm", "naswot", "zen")
_SCORED = 100  # networks that a proxy scores in each family


def _grouped(target: Target, labelled: LabelledFamily, data: Path, graphs: Path) -> Grouped:
    """The predictor on a family that is ranked by groups: its own expert may learn from the other groups."""
    family = family_named(target.family)
    taught = replace(read_family(family, data), built=documents(graphs / "timm.jsonl.gz"))
    groups = [target.name if group in target.relatives else group for group in taught.groups]
    return Grouped(OURS, family.table, replace(taught, groups=groups), labelled.groups)


def methods_for(
    target: Target,
    labelled: LabelledFamily,
    data: Path,
    quick: bool,
    chosen: Sequence[str] = (),
    graphs: Path | None = None,
) -> list[Method]:
    """The methods, all without labels of the target's family, or of its group, but those that they are given."""
    out = (family_named(target.family).name,)
    ours: list[Method] = [Fitted(OURS, Predictor(out, warn=False)), Chosen(CHOSEN, Predictor(out, warn=False))]
    if target.groups and graphs:
        ours = [_grouped(target, labelled, data, graphs)]
    methods: list[Method] = [
        Baseline("params"),
        Baseline("macs"),
        *ours,
        Fitted(PLAIN, Predictor(out, use_prior=False, embedding=False, neighbourhoods=False, warn=False)),
    ]
    if not quick:
        methods.append(Forest(counts=(10, 20, 50, 100, 400)))
        methods += [Baseline(name, _SCORED) for name in PROXIES]
        methods += [Reference(name, out[0], data) for name in ("fine-tuned", "k-GNN")]
    if chosen:
        names = [m.name for m in methods]
        methods += [Registered(name, out[0]) for name in chosen if name.startswith("scorer:")]
        for name in chosen:
            if name not in names and not name.startswith("scorer:"):
                raise CgError(f"there is no method '{name}'; there are {', '.join(names)}")
        methods = [m for m in methods if m.name in chosen]
    return methods
