"""The path-weighted encoder as a differentiable torch module, level by level over batches of graphs.

`PathLayer` is one direction of `cg_embed.path_encoder.PathEncoder`, with the same weights and the same results. The pass itself
(`PathPass`) is an autograd function with a backward pass of its own: autograd would record every level, whereas the gradient is
again a pass, against the first, over the same shares.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import embedding
from torch_geometric.utils import segment

from cg_ir import batch as make_batch

from .joins import exponentials
from .path_encoder import DIRECTIONS, N_FEATURES, PathConfig, PathEncoder, node_features, random_weights
from .plan import Flow, Plan, Step, compile_plan
from .signature_features import SignatureFeatures


@dataclass(frozen=True)
class Route:
    """One direction of a pass in tensors: the steps and edges of the pass itself, and those of its gradient.

    ``source`` (E,) are the inputs in the pass's numbers; ``back_source`` (E,) the consumers in the opposite pass's
    numbers, ``back_edge`` (E,)
    their edges in this pass's order; ``to_back``, ``from_back`` (S,) translate segment numbers.
    """

    steps: tuple[Step, ...]
    source: Tensor
    log_count: Tensor  # (S, 1) log number of inputs, 0 without
    back_steps: tuple[Step, ...]
    back_source: Tensor
    back_edge: Tensor
    to_back: Tensor
    from_back: Tensor
    type: Tensor  # (S,)
    ends: Tensor  # segments where the pass ends, sorted by graph
    ends_ptr: Tensor  # (G + 1,)
    inner: Tensor  # segments with weighted operators, sorted by graph
    inner_ptr: Tensor  # (G + 1,)


@dataclass(frozen=True)
class PathBatch:
    """A batch of graphs for `PathModule`.

    Attributes:
        features: of the distinct signatures (C, N_FEATURES); ``transparent`` (C, 1) marks those that are passed unchanged.
        weighted: 1 for operators with weights (C, 1).
        sequence: rows of ``features`` of each segment type, padded with -1 (T, longest).
        routes: by direction.
    """

    n_graphs: int
    features: Tensor
    transparent: Tensor
    weighted: Tensor
    sequence: Tensor
    routes: Mapping[str, Route]


def path_batch(graphs: Sequence[Any], dtype: torch.dtype = torch.float32) -> PathBatch:
    """Compile graphs for `PathModule`."""
    batch = make_batch(graphs)
    features = SignatureFeatures(batch.signatures)
    return _to_tensors(compile_plan(batch, features.is_input > 0), features, dtype)


def _to_tensors(plan: Plan, f: SignatureFeatures, dtype: torch.dtype) -> PathBatch:
    used, place = np.unique(plan.sequence, return_inverse=True)
    if used[0] < 0:  # padding
        used, place = used[1:], place - 1
    values, transparent = node_features(f, used)
    inner_count = np.zeros(len(plan.sequence))
    for _, rows, codes in plan.along():
        inner_count[rows] += f.weighted[codes]
    forward, backward = plan.forward, plan.backward
    number = np.empty(len(plan), dtype=np.int64)  # forward number -> backward number
    number[backward.segment] = np.arange(len(plan))
    edge = np.empty(len(backward.edge), dtype=np.int64)
    edge[backward.edge] = np.arange(len(edge))
    routes = {
        "along": _route(plan, forward, backward, backward.edge, number, backward.segment, inner_count, dtype),
        "against": _route(plan, backward, forward, edge, backward.segment, number, inner_count, dtype),
    }
    return PathBatch(
        plan.n_graphs,
        torch.from_numpy(values).to(dtype),
        torch.from_numpy(transparent)[:, None],
        torch.from_numpy(f.weighted[used]).to(dtype)[:, None],
        torch.from_numpy(place.reshape(plan.sequence.shape)),
        routes,
    )


def _route(
    plan: Plan,
    flow: Flow,
    back: Flow,
    back_edge: np.ndarray[Any, Any],
    to_back: np.ndarray[Any, Any],
    from_back: np.ndarray[Any, Any],
    inner_count: np.ndarray[Any, Any],
    dtype: torch.dtype,
) -> Route:
    n, kind, graph = len(plan), plan.type[flow.segment], plan.graph[flow.segment]
    feeds = np.zeros(n, dtype=bool)
    feeds[flow.source] = True
    ends, inner = np.flatnonzero(~feeds), np.flatnonzero(inner_count[kind] > 0)
    ends, inner = (rows[np.argsort(graph[rows], kind="stable")] for rows in (ends, inner))
    bounds = np.arange(plan.n_graphs + 1)
    count = np.maximum(np.bincount(flow.target, minlength=n), 1)
    as_tensor = torch.from_numpy
    return Route(
        flow.steps, as_tensor(flow.source), as_tensor(np.log(count)).to(dtype)[:, None], back.steps, as_tensor(back.source),
        as_tensor(back_edge), as_tensor(to_back), as_tensor(from_back), as_tensor(kind), as_tensor(ends),
        as_tensor(np.searchsorted(graph[ends], bounds)), as_tensor(inner), as_tensor(np.searchsorted(graph[inner], bounds)),
    )  # fmt: skip


def _rows(x: Tensor, index: Tensor) -> Tensor:
    """x[index], several times faster on a CPU."""
    return x.index_select(0, index)


class PathPass(torch.autograd.Function):
    """One pass: per segment, (S, D) each, from a, b, g, phi to s and m at its end and u and h at its start.

    The gradient walks the opposite way. With du = a ds, dh = g dm + (gradient of h), W the shares, and consumers i of p:
    ds_p += sum_i W_pi (du_i - h_i dh_i) + m_p sum_i W_pi dh_i and dm_p += sum_i W_pi dh_i.
    """

    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor, g: Tensor, phi: Tensor, mu: Tensor, route: Route) -> tuple[Tensor, ...]:
        s, m = torch.empty_like(a), torch.empty_like(a)
        u, h = torch.zeros_like(a), torch.zeros_like(a)
        share = torch.ones((len(route.source), a.shape[1]), dtype=a.dtype, device=a.device)
        for step in route.steps:
            lo, joins = step.lo, step.joins
            if step.slots:
                first, last = step.slots[0]
                source = route.source[first:last]
                hi = lo + last - first
                u[lo:hi], h[lo:hi] = _rows(s, source), _rows(m, source)
                if joins:
                    slots = step.joined
                    terms = [_rows(s, route.source[at]) for at in slots]
                    top, total = exponentials(terms, torch)
                    u[lo : lo + joins] = top + total.log() - mu * route.log_count[lo : lo + joins]
                    h[lo : lo + joins] = 0
                    for at, term in zip(slots, terms, strict=True):
                        term /= total[: len(term)]
                        share[at] = term
                        h[lo : lo + len(term)].addcmul_(term, _rows(m, route.source[at]))
            lo, hi = step.lo, step.hi
            torch.addcmul(b[lo:hi], a[lo:hi], u[lo:hi], out=s[lo:hi])
            torch.addcmul(phi[lo:hi], g[lo:hi], h[lo:hi], out=m[lo:hi])
        ctx.save_for_backward(a, g, u, h, m, share)
        ctx.route = route
        return s, m, u, h

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        route: Route = ctx.route
        a, g, u, h, m, share = ctx.saved_tensors
        order = route.from_back
        ds, dm, du, dh = (_rows(grad, order) for grad in grads)
        a, g, m, h_at = (_rows(x, order) for x in (a, g, m, h))
        share = _rows(share, route.back_edge)
        q = torch.empty_like(a)
        for step in route.back_steps:
            for first, last in step.slots:
                consumer = route.back_source[first:last]
                weight = share[first:last]
                lo, hi = step.lo, step.lo + last - first
                through = weight * _rows(dh, consumer)
                dm[lo:hi] += through
                ds[lo:hi].addcmul_(weight, _rows(q, consumer)).addcmul_(m[lo:hi], through)
            lo, hi = step.lo, step.hi
            du[lo:hi].addcmul_(a[lo:hi], ds[lo:hi])
            dh[lo:hi].addcmul_(g[lo:hi], dm[lo:hi])
            torch.addcmul(du[lo:hi], h_at[lo:hi], dh[lo:hi], value=-1, out=q[lo:hi])
        back = route.to_back
        ds, dm, du = (_rows(x, back) for x in (ds, dm, du))
        return ds * u, ds, dm * h, dm, -(du * route.log_count).sum(0), None


class PathLayer(nn.Module):
    """One direction of the encoder: features of operators to readouts, (G, 4 D).

    Args:
        channels: D.
        direction: ``along`` or ``against`` the data flow.
    """

    def __init__(self, channels: int, direction: str) -> None:
        super().__init__()
        self.direction = direction
        for name in ("a", "b", "g", "phi"):
            self.register_parameter(name, nn.Parameter(torch.zeros(N_FEATURES, channels)))
        self.mu = nn.Parameter(torch.zeros(channels))

    def forward(self, batch: PathBatch) -> Tensor:
        route = batch.routes[self.direction]
        tables = self._type_tables(batch)
        a, b, g, phi, inner_g, inner_phi, count = tables
        per_segment = [embedding(route.type, table) for table in (a, b, g, phi)]
        s, m, _, h = PathPass.apply(*per_segment, torch.sigmoid(self.mu), route)
        n_ends = (route.ends_ptr[1:] - route.ends_ptr[:-1]).clamp(min=1)[:, None]
        rows, ptr = route.inner, route.inner_ptr
        kind = route.type[rows]
        weight = count[kind]
        total = segment(weight, ptr).clamp(min=1)
        mean = segment(embedding(kind, inner_g) * _rows(h, rows) + embedding(kind, inner_phi), ptr) / total
        at_end = _rows(m, rows)
        centre = segment(weight * at_end, ptr) / total
        deviation = at_end - centre.repeat_interleave(ptr[1:] - ptr[:-1], dim=0)
        # the root has no gradient at 0
        spread = (segment(weight * deviation**2, ptr) / total + 1e-12).sqrt()
        end = [segment(x[route.ends], route.ends_ptr) / n_ends for x in (s, m)]
        return torch.asinh(torch.cat([*end, mean, spread], dim=1))

    def _type_tables(self, batch: PathBatch) -> tuple[Tensor, ...]:
        """Compose the operators of every segment type, (T, D) each; see `cg_embed.path_encoder.type_tables`."""
        x = batch.features
        a = torch.sigmoid(x @ self.a).masked_fill(batch.transparent, 1)
        b = (x @ self.b).masked_fill(batch.transparent, 0)
        g = torch.sigmoid(x @ self.g).masked_fill(batch.transparent, 1)
        phi = (x @ self.phi).masked_fill(batch.transparent, 0)
        shape = (len(batch.sequence), self.a.shape[1])
        A, G, inner_count = x.new_ones(shape), x.new_ones(shape), x.new_zeros((shape[0], 1))
        B, P, inner_g, inner_phi = (x.new_zeros(shape) for _ in range(4))
        positions = range(batch.sequence.shape[1])
        for k in positions if self.direction == "along" else reversed(positions):
            code = batch.sequence[:, k]
            present = (code >= 0)[:, None]
            code = code.clamp(min=0)
            A = torch.where(present, A * a[code], A)
            B = torch.where(present, B * a[code] + b[code], B)
            G = torch.where(present, G * g[code], G)
            P = torch.where(present, P * g[code] + phi[code], P)
            weighted = batch.weighted[code] * present
            inner_count = inner_count + weighted
            inner_g, inner_phi = inner_g + weighted * G, inner_phi + weighted * P
        return A, B, G, P, inner_g, inner_phi, inner_count


class PathModule(nn.Module):
    """Both directions: the trainable counterpart of `PathEncoder`, (G, 8 D)."""

    def __init__(self, config: PathConfig, weights: Mapping[str, Any] | None = None) -> None:
        super().__init__()
        self.config = config
        self.layers = nn.ModuleDict({d: PathLayer(config.channels, d) for d in DIRECTIONS})
        source = random_weights(config) if weights is None else weights
        with torch.no_grad():
            for name, parameter in self._named():
                parameter.copy_(torch.from_numpy(np.array(source[name])))

    def _named(self) -> list[tuple[str, nn.Parameter]]:
        return [(name.removeprefix("layers."), p) for name, p in self.named_parameters()]

    def forward(self, batch: PathBatch) -> Tensor:
        return torch.cat([self.layers[d](batch) for d in DIRECTIONS], dim=1)

    def encoder(self) -> PathEncoder:
        """The encoder for inference without torch, with the present weights."""
        return PathEncoder(self.config, {name: p.detach().cpu().float().numpy().copy() for name, p in self._named()})
