"""The path-weighted encoder: what paths of a network carry, weighted in many learned ways. Inference without torch.

Each of D channels walks the graph along the data flow and, with weights of its own, against it. At node i with inputs p and k of them:

    u_i = log sum_p exp s_p - mu log k          s_i = a_i u_i + b_i
    h_i = sum_p softmax_p(s_p) m_p              m_i = g_i h_i + phi_i

s is the log weight of all paths that end in i, m the mean over those paths of what they collected. a, g in (0, 1) and b, phi depend
on the operator (its class and a few numbers, see `node_features`); a near 0 forgets the weights, as normalisation
does; mu in (0, 1) turns the sum
over inputs into a mean. Counting paths, random walks, signal variance and synaptic flow are special cases, so even
random parameters give useful
vectors; training shapes them (`cg_embed.pretrain`). Layout operators, inputs and outputs are transparent: s and m pass unchanged.

The vector has four readouts of each direction, through asinh: s and m where the pass ends, and mean and standard deviation of m
over the operators with weights.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from cg_ir import batch as make_batch

from .joins import exponentials
from .plan import Flow, Plan, at_once, compile_plan
from .pretrained import Pretrained
from .scratch import Scratch
from .signature_features import CLASSES, SignatureFeatures

Array = NDArray[Any]
DIRECTIONS = ("along", "against")
_PARTS = ("a", "b", "g", "phi")
NUMBERS = ("width", "kernel", "stride", "dilation", "groups", "extent", "fan_in", "gain", "moment", "macs", "params")
_TRANSPARENT = ("layout", "io")
N_FEATURES = len(CLASSES) + len(NUMBERS)


@dataclass(frozen=True)
class PathConfig:
    """Shape of the encoder: channels of each direction, and the seed of its random initial weights."""

    channels: int = 64
    seed: int = 0

    @property
    def dimension(self) -> int:
        """Length of the vectors."""
        return 8 * self.channels


def node_features(f: SignatureFeatures, codes: Array) -> tuple[Array, Array]:
    """Features of signatures, float64 (len(codes), N_FEATURES): one-hot class, then numbers of order one; and
    whether each is transparent."""
    numbers = [
        f.width[codes] / 5 - 0.8,
        f.kernel[codes] / 2,
        f.stride[codes],
        f.dilation[codes],
        f.groups[codes] / 4,
        np.log(f.extent[codes]) / 3 - 0.7,
        f.fan_in[codes] / 5,
        f.gain[codes],
        f.moment[codes] / 4,
        np.log1p(f.macs[codes]) / 16,
        np.log1p(f.params[codes]) / 10,
    ]
    kind = f.kind[codes].astype(np.int64)
    transparent = np.isin(kind, [CLASSES.index(c) for c in _TRANSPARENT])
    return np.concatenate([np.eye(len(CLASSES))[kind], np.stack(numbers, axis=1)], axis=1), transparent


def random_weights(config: PathConfig) -> dict[str, NDArray[np.float32]]:
    """Initial weights, drawn from the config's seed: useful untrained.

    Per direction: ``a``, ``b``, ``g``, ``phi`` (N_FEATURES, D), the first and third before the logistic function,
    and ``mu`` (D,), before it too. Half of
    the channels forget their path weights at normalisations, half of them take means over inputs.
    """
    rng = np.random.default_rng(config.seed)
    d, n_classes, n_numbers = config.channels, len(CLASSES), len(NUMBERS)
    weights = {}
    for direction in DIRECTIONS:
        a = np.zeros((N_FEATURES, d))
        a[:n_classes] = rng.uniform(1.0, 6.0, (n_classes, d))
        resets = rng.random(d) < 0.5
        a[CLASSES.index("norm"), resets] = -6.0
        scale = np.exp(rng.uniform(np.log(0.1), np.log(1.5), d))
        b = np.concatenate([rng.normal(size=(n_classes, d)), rng.normal(size=(n_numbers, d))]) * scale
        g = np.zeros((N_FEATURES, d))
        g[:n_classes] = rng.uniform(2.0, 6.0, (n_classes, d))
        phi = np.concatenate([rng.normal(size=(n_classes, d)), rng.normal(size=(n_numbers, d))])
        mu = np.where(rng.random(d) < 0.5, 4.0, -4.0)
        for name, value in (("a", a), ("b", b), ("g", g), ("phi", phi), ("mu", mu)):
            weights[f"{direction}.{name}"] = value.astype(np.float32)
    return weights


class PathEncoder(Pretrained):
    """Encodes graphs by path-weighted passes.

    Args:
        config: shape and seed.
        weights: see `random_weights`; drawn from the seed if absent.
    """

    def __init__(self, config: PathConfig | None = None, weights: Mapping[str, Array] | None = None) -> None:
        self.config = config or PathConfig()
        expected = random_weights(self.config)
        weights = expected if weights is None else weights
        for name, value in expected.items():
            if name not in weights or weights[name].shape != value.shape:
                found = "nothing" if name not in weights else str(weights[name].shape)
                raise ValueError(f"path encoder: weight {name} should have shape {value.shape}, found {found}")
        self.weights = {name: np.asarray(weights[name], dtype=np.float32) for name in expected}

    def __len__(self) -> int:
        return self.config.dimension

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(
            f"{direction}/{readout}_{c}"
            for direction in DIRECTIONS
            for readout in ("end_s", "end_m", "mean_m", "std_m")
            for c in range(self.config.channels)
        )

    def encode(self, graphs: Sequence[Any]) -> NDArray[np.float32]:
        """Vectors of the graphs, float32 (len(graphs), 8 * channels). A vector depends on its graph alone."""
        out = np.zeros((len(graphs), len(self)), dtype=np.float32)
        scratch = Scratch()
        for part in at_once(graphs):
            batch = make_batch(graphs[part])
            features = SignatureFeatures(batch.signatures)
            plan = compile_plan(batch, features.is_input > 0)
            out[part] = self.encode_plan(plan, features, scratch)
        return out

    def encode_plan(
        self, plan: Plan, features: SignatureFeatures, scratch: Scratch | None = None
    ) -> NDArray[np.float32]:
        """Vectors of the graphs of a compiled batch."""
        scratch = scratch or Scratch()
        parts = []
        for direction in DIRECTIONS:
            w = {part: self.weights[f"{direction}.{part}"] for part in (*_PARTS, "mu")}
            tables = type_tables(plan, features, w, direction)
            flow = plan.forward if direction == "along" else plan.backward
            parts.append(_readout(plan, flow, tables, scratch, *_walk(plan, flow, tables, _logistic(w["mu"]), scratch)))
        return np.concatenate(parts, axis=1)

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, directory: str | Path, card: str = "") -> None:
        """Write ``model.safetensors``, ``config.json`` and the model card ``README.md``; see `cg_embed.checkpoint`."""
        from .checkpoint import write_checkpoint

        write_checkpoint(directory, "path", asdict(self.config), self.weights, card)

    @classmethod
    def load(cls, directory: str | Path) -> PathEncoder:
        """Read what `save` wrote."""
        from .checkpoint import CheckpointError, read_checkpoint

        config, weights = read_checkpoint(directory, "path")
        try:
            return cls(PathConfig(**config), weights)
        except (MemoryError, OverflowError, TypeError, ValueError) as error:
            raise CheckpointError(f"{directory}: {error}") from None

    @classmethod
    def shipped(cls) -> PathEncoder:
        """The pre-trained encoder of this release."""
        from .checkpoint import shipped_directory

        return cls.load(shipped_directory("path"))


@dataclass(frozen=True)
class PathTables:
    """What a segment type does in one direction, (T, D) each: s_out = a u + b, m_out = g h + phi; and of its weighted
    operators the number (T,) and the sum of their m, inner_g h + inner_phi."""

    a: Array
    b: Array
    g: Array
    phi: Array
    inner_g: Array
    inner_phi: Array
    inner_count: Array


def _logistic(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def type_tables(plan: Plan, f: SignatureFeatures, w: Mapping[str, Array], direction: str) -> PathTables:
    """Compose the operators of every segment type, first to last or last to first."""
    d = w["b"].shape[1]
    used, place = np.unique(plan.sequence, return_inverse=True)
    place = place.reshape(plan.sequence.shape)
    values, transparent = node_features(f, np.maximum(used, 0))
    values = values.astype(np.float32)
    keep = ~transparent[:, None]
    a = np.where(keep, _logistic(values @ w["a"]), 1)
    b = np.where(keep, values @ w["b"], 0)
    g = np.where(keep, _logistic(values @ w["g"]), 1)
    phi = np.where(keep, values @ w["phi"], 0)
    n = len(plan.sequence)
    t = PathTables(
        np.ones((n, d), np.float32), np.zeros((n, d), np.float32), np.ones((n, d), np.float32), np.zeros((n, d), np.float32),
        np.zeros((n, d), np.float32), np.zeros((n, d), np.float32), np.zeros(n, np.float32),
    )  # fmt: skip
    for k, rows, codes in _positions(plan, direction):
        at = place[rows, k]
        t.a[rows] *= a[at]
        t.b[rows] = t.b[rows] * a[at] + b[at]
        t.g[rows] *= g[at]
        t.phi[rows] = t.phi[rows] * g[at] + phi[at]
        weighted = f.weighted[codes].astype(np.float32)
        t.inner_count[rows] += weighted
        t.inner_g[rows] += weighted[:, None] * t.g[rows]
        t.inner_phi[rows] += weighted[:, None] * t.phi[rows]
    return t


def _positions(plan: Plan, direction: str) -> list[tuple[int, Array, Array]]:
    steps = list(plan.along())
    return steps if direction == "along" else steps[::-1]


def _walk(plan: Plan, flow: Flow, t: PathTables, mu: Array, scratch: Scratch) -> tuple[Array, Array, Array]:
    """s and m at the end of every segment and h at its start, (S, D) in the flow's numbers."""
    n, d = len(plan), t.a.shape[1]
    kind = plan.type[flow.segment]
    s, m, h = (scratch.array(name, (n, d), np.float32) for name in "smh")
    log_count = np.log(np.maximum(np.bincount(flow.target, minlength=n), 1)).astype(np.float32)[:, None]
    for step in flow.steps:
        first, last = step.slots[0] if step.slots else (0, 0)
        source, joins = flow.source[first:last], step.joins
        lo, hi = step.lo, step.lo + len(source)
        rows = kind[lo:hi]
        u, mean = s.take(source, axis=0), m.take(source, axis=0)
        if joins:
            slots = [flow.source[at] for at in step.joined]
            terms = [u[:joins], *(s.take(at, axis=0) for at in slots[1:])]
            top, total = exponentials(terms, np)
            sums = mean[:joins]
            sums *= terms[0]
            for at, weight in zip(slots[1:], terms[1:], strict=True):
                weight *= m.take(at, axis=0)
                sums[: len(weight)] += weight
            sums /= total
            np.add(top, np.log(total, out=total), out=u[:joins])
            u[:joins] -= mu * log_count[lo : lo + joins]
        h[lo:hi] = mean
        np.multiply(u, t.a.take(rows, axis=0), out=s[lo:hi])
        s[lo:hi] += t.b.take(rows, axis=0)
        np.multiply(mean, t.g.take(rows, axis=0), out=m[lo:hi])
        m[lo:hi] += t.phi.take(rows, axis=0)
        # where the pass begins
        rows = kind[hi : step.hi]
        s[hi : step.hi], m[hi : step.hi], h[hi : step.hi] = t.b.take(rows, axis=0), t.phi.take(rows, axis=0), 0
    return s, m, h


def _readout(plan: Plan, flow: Flow, t: PathTables, scratch: Scratch, s: Array, m: Array, h: Array) -> Array:
    """End values of s and m, mean and standard deviation of m over weighted operators, (G, 4 D)."""
    kind, graph, n = plan.type[flow.segment], plan.graph[flow.segment], plan.n_graphs
    feeds = np.zeros(len(plan), dtype=bool)
    feeds[flow.source] = True
    ends = np.flatnonzero(~feeds)
    at_end = _sums(np.ones(len(ends), np.float32), graph[ends], n)
    n_ends = np.maximum(np.bincount(graph[ends], minlength=n), 1)[:, None].astype(np.float32)
    # only segments with weighted operators count
    rows = np.flatnonzero(t.inner_count[kind] > 0)
    rows = rows[np.argsort(graph[rows], kind="stable")]
    kind, graph = kind[rows], graph[rows]
    count = t.inner_count[kind]
    total = np.maximum(np.bincount(graph, weights=count, minlength=n), 1)[:, None].astype(np.float32)
    shape = (len(rows), s.shape[1])
    inner, at_rows = (scratch.array(name, shape, np.float32) for name in ("inner", "rows"))
    inner = t.inner_g.take(kind, axis=0, out=inner, mode="clip")
    inner *= h.take(rows, axis=0, out=at_rows, mode="clip")
    inner += t.inner_phi.take(kind, axis=0, out=at_rows, mode="clip")
    mean = _sums(np.ones(len(rows), np.float32), graph, n) @ inner / total
    # spread over the ends of segments, each as often as it has weighted operators
    weigh = _sums(count, graph, n)
    deviation = m.take(rows, axis=0, out=inner, mode="clip")
    deviation -= (weigh @ deviation / total).take(graph, axis=0, out=at_rows, mode="clip")
    deviation *= deviation
    spread = np.sqrt(weigh @ deviation / total)
    ending = at_end @ s.take(ends, axis=0), at_end @ m.take(ends, axis=0)
    return _arcsinh(np.concatenate([*(x / n_ends for x in ending), mean, spread], axis=1))


def _arcsinh(x: Array) -> Array:
    """The inverse hyperbolic sine; through the logarithm, which numpy computes many at a time."""
    size = np.abs(x)
    return np.copysign(np.log(size + np.sqrt(size * size + 1)), x)


def _sums(weights: Array, graph: Array, n: int) -> csr_array:
    """The matrix that adds rows up by graph."""
    return csr_array((weights, (graph, np.arange(len(graph)))), shape=(n, len(graph)))
