"""Why one network scores higher than another, in properties that a person knows: depth, width, depthwise convolutions, flow along paths.

Everything that a `Predictor` reads of a network belongs to one property. The difference of two scores is shared out among the properties in which the
networks differ by Shapley values: what becomes of the score when a property is the other network's, averaged over the orders in which properties can
change. So shares add up to the difference exactly.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.context import Encodings
from cg_predict.explain import shapley
from cg_predict.features import descriptors
from cg_predict.predictor import Predictor

Floats = NDArray[np.float64]

#: Properties by patterns of the descriptors' names; the first that fits holds.
_PATTERNS = (
    ("layers and depth", r"plain/(log_nodes|log_edges|log_depth|weighted_depth|shortest_weighted_depth|log_segments)|stages/log_stages"),
    ("depthwise convolutions", r"plain/(log|share)_depthwise"),
    ("width", r"plain/(mean|std|min|max)_width"),
    ("parameters and MACs", r"plain/(log_params|log_macs|macs_per_param|log_activations|log_elements|linear_params_share|mean_log_macs|std_log_macs)"),
    ("kernels, strides, groups", r"plain/(mean_kernel|strided|mean_dilation|mean_groups|mean_fan_in|log_input_extent)"),
    ("branches", r"plain/(edges_per_node|joins_per_weighted|inputs_per_join|branches_per_weighted|consumers_per_branch)"),
    ("kinds of operators", r"plain/(log|share)_\w+"),
    ("path flow", r"paths/.*"),
    ("signal and gradients at the start", r"signal/.*"),
    ("width at stage {}", r"stages/stage(?P<stage>\d)/mean_width"),
    ("operators at stage {}", r"stages/stage(?P<stage>\d)/.*"),
    ("what follows what", r"pairs/.*"),
)  # fmt: skip
#: What a predictor reads beside descriptors, once there are labels.
_VECTORS, _COUNTS = "the encoder's view", "neighbourhoods of operators"


@dataclass(frozen=True)
class Share:
    """What one property makes of the difference of two scores.

    Attributes:
        name: of the property.
        contribution: to the first score minus the second.
        error: its standard error; 0 where all orders were taken.
        first, second: the property of the two networks in numbers, empty where no one number tells it.
    """

    name: str
    contribution: float
    error: float
    first: str
    second: str


def property_of(descriptor: str) -> str:
    """The property to which a descriptor belongs.

    Raises:
        CgError: there is no such descriptor.
    """
    for name, pattern in _PATTERNS:
        if found := re.fullmatch(pattern, descriptor):
            return name.format(*(int(stage) + 1 for stage in found.groupdict().values()))
    raise CgError(f"the descriptor '{descriptor}' belongs to no property")


def property_values(row: NDArray[np.floating[Any]]) -> dict[str, str]:
    """Properties in numbers, by name; those that one number tells.

    Args:
        row: descriptors of a network, (d,).
    """
    value = dict(zip(_names(), np.asarray(row, dtype=np.float64).tolist(), strict=True))

    def count(name: str) -> float:
        return float(np.expm1(value[f"plain/log_{name}"]))

    result = {
        "layers and depth": f"{count('depth'):.0f} operators deep",
        "parameters and MACs": f"{_short(count('params'))}, {_short(count('macs'))}",
        "width": f"{np.exp(value['plain/mean_width']):.0f} channels",
        "branches": f"{value['plain/joins_per_weighted']:.2f} joins a layer",
        "path flow": f"{value['paths/flow/mean_weighted']:.1f} layers a path",
    }
    convolutions = [count(kind) for kind in ("depthwise", "conv1", "convk")]
    if sum(convolutions) > 0.5:
        result["depthwise convolutions"] = f"{convolutions[0] / sum(convolutions):.0%} of convolutions"
    for stage in range(4):
        if width := value[f"stages/stage{stage}/mean_width"]:
            result[f"width at stage {stage + 1}"] = f"{np.exp(width):.0f} channels"
    return result


def _names() -> tuple[str, ...]:
    return tuple(descriptors().encoder.names)  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Relative:
    """A network that was learned from, and what sets another one apart from it.

    Attributes:
        name: by which it can be built.
        family: to which it belongs.
        differs: the properties in which the two differ most, with both in numbers where one number tells it.
    """

    name: str
    family: str
    differs: tuple[tuple[str, str, str], ...]


def nearest_known(predictor: Predictor, graph: Graph, count: int = 3) -> list[Relative]:
    """The labelled networks that were learned from and are most like a network, nearest first, and what differs."""
    prior = predictor.knowledge
    experts = [expert for expert in prior.experts.values() if expert.names]
    row = descriptors().encode([graph])
    names = [name for expert in experts for name in expert.names]
    if not names:
        return []
    families = [expert.family for expert in experts for _ in expert.names]
    known = np.concatenate([np.asarray(expert.known, dtype=np.float64) for expert in experts])
    gaps = (known - row) / np.maximum(prior.spread, 1e-9)
    own = property_values(row[0])
    of = np.array([property_of(name) for name in prior.names])
    result = []
    for i in (gaps**2).sum(axis=1).argsort(kind="stable")[:count].tolist():
        far = {name: float(np.sqrt(np.mean(gaps[i, of == name] ** 2))) for name in dict.fromkeys(of.tolist())}
        most = sorted((name for name in far if far[name] > 0.02), key=lambda name: -far[name])[:3]
        there = property_values(known[i])
        result.append(
            Relative(names[i], families[i], tuple((name, own.get(name, ""), there.get(name, "")) for name in most))
        )
    return result


def difference_by_property(
    predictor: Predictor, a: Graph, b: Graph, pool: Sequence[Graph] | None = None, seed: int = 0
) -> list[Share]:
    """The score of the first network minus that of the second, shared out among properties, largest share first.

    Args:
        predictor: with labels or without.
        a, b: the networks.
        pool: the networks among which one ranks.
        seed: of the orders, where there are more than eight properties in which they differ.
    """
    belief = predictor._belief(pool)
    networks = predictor._encoded([a, b], belief.kernels)
    names = np.array([property_of(name) for name in predictor.knowledge.names])
    read = {field: getattr(networks, field) for field in ("descriptors", "vectors", "neighbourhoods")}
    read = {field: matrix for field, matrix in read.items() if matrix is not None}
    parts: list[tuple[str, str, Any]] = [(name, "descriptors", names == name) for name in dict.fromkeys(names.tolist())]
    parts += [(_VECTORS, "vectors", slice(None)), (_COUNTS, "neighbourhoods", slice(None))]
    differing = [p for p in parts if p[1] in read and (read[p[1]][0, p[2]] != read[p[1]][1, p[2]]).any()]
    if not differing:
        return []

    def values(changed: Sequence[Sequence[int]]) -> Floats:
        rows: dict[str, Any] = {field: np.repeat(matrix[:1], len(changed), axis=0) for field, matrix in read.items()}
        for row, members in enumerate(changed):
            for _, field, columns in (differing[i] for i in members):
                rows[field][row, columns] = read[field][1, columns]
        unknown = [f"{a.hash} {b.hash} {list(members)}" for members in changed]
        return belief.predict(Encodings(unknown, **rows))[0]

    contributions, errors = shapley(values, len(differing), seed)
    one, two = map(property_values, descriptors().encode([a, b]))
    shares = [
        Share(name, float(value), float(error), one.get(name, ""), two.get(name, ""))
        for (name, _, _), value, error in zip(differing, contributions, errors, strict=True)
    ]
    return sorted(shares, key=lambda share: -abs(share.contribution))


def _short(count: float) -> str:
    for limit, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if count >= limit:
            return f"{count / limit:.3g}{unit}"
    return f"{count:.0f}"
