"""Which methods the harness runs on a target."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cg_ir.errors import CgError
from cg_predict.bench.methods import Baseline, Chosen, Fitted, Forest, Method, Registered
from cg_predict.bench.references import Reference
from cg_predict.bench.targets import Target
from cg_predict.predictor import Predictor

__all__ = ["OURS", "PLAIN", "methods_for"]

OURS, CHOSEN, PLAIN = "ours", "ours, chosen labels", "descriptors + GP"
PROXIES = ("synflow", "jacov", "snip", "grasp", "fisher", "grad_norm", "naswot", "zen")
_SCORED = 100  # networks that a proxy scores in each family


def methods_for(
    target: Target, data: Path, quick: bool, chosen: Sequence[str] = (), proxies: bool = True
) -> list[Method]:
    """The methods, all without labels of the target's family but those that they are given."""
    out = (target.family,)
    methods: list[Method] = [
        Baseline("params"),
        Baseline("macs"),
        Fitted(OURS, Predictor(out, warn=False)),
        Chosen(CHOSEN, Predictor(out, warn=False)),
        Fitted(PLAIN, Predictor(out, use_prior=False, embedding=False, warn=False)),
    ]
    if not quick:
        methods.append(Forest(counts=(10, 20, 50, 100, 400)))
        methods += [Baseline(name, _SCORED) for name in (PROXIES if proxies else ())]
        methods += [Reference(name, target.family, data) for name in ("fine-tuned", "k-GNN")]
    if chosen:
        names = [m.name for m in methods]
        methods += [Registered(name, target.family) for name in chosen if name.startswith("scorer:")]
        for name in chosen:
            if name not in names and not name.startswith("scorer:"):
                raise CgError(f"there is no method '{name}'; there are {', '.join(names)}")
        methods = [m for m in methods if m.name in chosen]
    return methods
