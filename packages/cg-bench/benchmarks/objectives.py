"""What an encoder can be trained on, compared: objectives x encoders, short trainings, with several seeds of the weights.

Families are split in two halves; an encoder that is trained on one half is judged on the other, so no relative of a judged family was seen.
Judged is Spearman's correlation from 20 and from 50 labels by a Gaussian process, on the vectors alone and beside descriptors, minus the same
with the weights that training began with. The page is ``objectives.md``. A run that was stopped goes on.

    python packages/cg-bench/benchmarks/objectives.py --data FOLDER -o FOLDER [--half 0|1] [--graphs FILE] [--seeds 3] [--claim-seeds 5] [--row NAME ...]

``--half 1 --seeds 0`` trains and judges on the other half what words rest on (`CLAIMS`) alone.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from objectives_report import TRANSFORMERS, write_report
from torch import Tensor, nn

from cg_bench.embedding.study import ALONE, BESIDE, STRUCTURES, _views, gp_scores
from cg_bench.ranking.methods import random_labels
from cg_bench.ranking.targets import documents
from cg_bench.rows import ResultRows
from cg_embed import ContrastiveConfig, ContrastiveEncoder, Descriptors, PathConfig, PathEncoder
from cg_embed.contrastive import contrastive_loss, functional_features, soft_targets, spectral_features
from cg_embed.kgnn import flip_signs, graph_batch, prepare_graph
from cg_embed.path_layer import PathModule, path_batch
from cg_embed.plan import compile_plan
from cg_embed.signature_features import CLASSES, SignatureFeatures
from cg_ir import Graph
from cg_ir import batch as make_batch
from cg_predict.metrics import spearman
from cg_predict.predictor import Predictor
from cg_predict.tables import family_named, read_family
from cg_predict.targets import normal_scores

#: No family has a relative in the other half.
HALVES = (
    ("nb101", "mobilenetv3", "mnasnet", "metaqnn"),
    ("nb201", "transnas micro", "transnas macro", "nb301", "natssize", "autoformer", "naap440"),
)
#: Networks of a family: trained on, and judged on.
TRAINED_ON, JUDGED = 160, 200
BATCH, STEPS, LABELS, DRAWS = 32, 40, (20, 50), 2
#: Settings that the process draws, over all kernels, and rounds of their refinement, a third of what `gp_scores` takes otherwise.
PROCESS = (48, 1)
#: How many times the score without labels is repeated beside untrained vectors, for the kernels weigh all columns alike.
REPEATED = 64
#: Share of the operators whose features are hidden.
HIDDEN = 0.3


@dataclass(frozen=True)
class Row:
    """One training.

    Args:
        objectives: names in `OBJECTIVES`, their losses added up.
        encoder: ``path``, ``paper's``, or ``k-GNN`` (both ways, rich features, no attention).
        channels: of the path encoder.
        frozen: share of its channels that keep their random weights.
        rate: of Adam.
        steps: of it.
    """

    objectives: tuple[str, ...]
    encoder: str = "path"
    channels: int = 64
    frozen: float = 0.0
    rate: float = 0.01
    steps: int = STEPS

    @property
    def twin(self) -> str:
        """The untrained encoder."""
        return f"{self.encoder}-{self.channels}" if self.encoder == "path" else self.encoder

    @property
    def name(self) -> str:
        """All that differs from the defaults."""
        parts = [self.twin, " + ".join(self.objectives)]
        parts += [f"{self.frozen:.0%} frozen"] if self.frozen else []
        parts += [f"rate {self.rate:g}"] if self.rate != Row.rate else []
        parts += [f"{self.steps} steps"] if self.steps not in (STEPS,) else []
        return ", ".join(parts)


@dataclass
class Batch:
    """Some networks of one family in tensors: as both encoders take them, and what objectives compare."""

    path: Any
    graph: Any
    paper: Any
    spectral: Tensor
    functional: Tensor
    flows: Tensor
    descriptors: Tensor
    labels: Tensor
    path_counts: Tensor  # how often each row of features occurs in each graph, (G, C)
    graph_counts: Tensor


# --- objectives: standardised vectors (n, d) of a batch to a loss --------------------------------------------------------


def _soft(z: Tensor, places: Tensor) -> Tensor:
    distances = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    return contrastive_loss(z, soft_targets(distances), 0.1)


def _regression(head: nn.Module, z: Tensor, wanted: Tensor) -> Tensor:
    return nn.functional.mse_loss(head(z), wanted)


def _episode(z: Tensor, labels: Tensor) -> Tensor:
    """1 - correlation of labels and what a Gaussian process with a squared-exponential kernel on z makes of half of them."""
    half = torch.randperm(len(z))
    known, rest = half[: len(z) // 2], half[len(z) // 2 :]
    squared = torch.cdist(z, z, compute_mode="donot_use_mm_for_euclid_dist").pow(2)
    kernel = torch.exp(-squared / (2 * squared.detach().mean()))
    within = kernel[known][:, known] + 0.1 * torch.eye(len(known))
    found = kernel[rest][:, known] @ torch.linalg.solve(within, labels[known])
    a, b = found - found.mean(0), labels[rest] - labels[rest].mean(0)
    return 1 - ((a * b).sum(0) / (a.norm(dim=0) * b.norm(dim=0) + 1e-6)).mean()


def _synthetic(descriptors: Tensor) -> Tensor:
    """Eight random functions of descriptors, as labels: sums of a few columns, bent."""
    chosen = torch.randint(descriptors.shape[1], (8, 6))
    mixed = torch.einsum("nkc,kc->nk", torch.tanh(descriptors[:, chosen]), torch.randn(8, 6))
    return (mixed - mixed.mean(0)) / (mixed.std(0) + 1e-6)


class Learner(nn.Module):
    """An encoder with the heads that objectives need."""

    def __init__(self, row: Row, seed: int, widths: dict[str, int]) -> None:
        super().__init__()
        self.row = row
        self.path = row.encoder == "path"
        if self.path:
            self.body: nn.Module = PathModule(PathConfig(row.channels, seed))
            d = 8 * row.channels
            frozen = round(row.frozen * row.channels)
            for parameter in self.body.parameters():
                parameter.register_hook(
                    lambda grad: torch.cat([torch.zeros_like(grad[..., :frozen]), grad[..., frozen:]], -1)
                )
        else:
            self.whole = untrained(row, seed)
            self.body, d = self.whole.module.requires_grad_(True), len(self.whole)
        self.standardise = nn.BatchNorm1d(d, affine=False, track_running_stats=False)
        self.heads = nn.ModuleDict({name: nn.Linear(d, widths[name]) for name in ("flows", "descriptors", "classes")})

    def vectors(self, batch: Batch, keep: Tensor | None = None) -> Tensor:
        """Standardised over the batch; ``keep`` (C, 1) hides features of signatures where it is 0."""
        if self.path:
            given = batch.path if keep is None else replace(batch.path, features=batch.path.features * keep)
            return self.standardise(self.body(given))
        given = batch.graph if self.row.encoder == "k-GNN" else flip_signs(batch.paper)
        given = given if keep is None else replace(given, x=given.x * keep)
        return self.standardise(self.body.readout(given))  # type: ignore[operator]

    def loss(self, batch: Batch) -> Tensor:
        """The sum of the row's objectives."""
        whole = self.vectors(batch) if set(self.row.objectives) - {"masked", "views"} else None
        return torch.stack([OBJECTIVES[name](self, whole, batch) for name in self.row.objectives]).sum()

    def _mask(self, batch: Batch) -> Tensor:
        rows = batch.path.features if self.path else batch.graph.x
        return (torch.rand(len(rows), 1) > HIDDEN).float()

    def masked(self, batch: Batch) -> Tensor:
        """How many operators of each class are hidden."""
        keep = self._mask(batch)
        rows, counts = (batch.path.features, batch.path_counts) if self.path else (batch.graph.x, batch.graph_counts)
        hidden = torch.log1p(counts @ (rows[:, : len(CLASSES)] * (1 - keep)))
        return _regression(self.heads["classes"], self.vectors(batch, keep), hidden)

    def views(self, batch: Batch) -> Tensor:
        """A network with some operators hidden is most like itself with others hidden."""
        a, b = (nn.functional.normalize(self.vectors(batch, self._mask(batch)), dim=1) for _ in range(2))
        return nn.functional.cross_entropy(a @ b.T / 0.1, torch.arange(len(a)))

    def encoder(self) -> Any:
        """For inference."""
        return self.body.encoder() if self.path else self.whole  # type: ignore[operator]


OBJECTIVES: dict[str, Callable[[Learner, Any, Batch], Tensor]] = {
    "spectral": lambda m, z, batch: _soft(z, batch.spectral),
    "functional": lambda m, z, batch: _soft(z, batch.functional),
    "ranks": lambda m, z, batch: _soft(z, batch.labels[:, None]),
    "flows": lambda m, z, batch: _regression(m.heads["flows"], z, batch.flows),
    "descriptors": lambda m, z, batch: _regression(m.heads["descriptors"], z, batch.descriptors),
    "masked": lambda m, z, batch: m.masked(batch),
    "views": lambda m, z, batch: m.views(batch),
    "episodes": lambda m, z, batch: _episode(z, batch.labels[:, None]),
    "synthetic episodes": lambda m, z, batch: _episode(z, _synthetic(batch.descriptors)),
}

_FUNCTIONAL, _RANKS, _EPISODES = ("functional",), ("ranks",), ("episodes",)
_K_GNN = Row((), encoder="k-GNN", rate=2e-3)
_PAPER = Row((), encoder="paper's", rate=1e-3)
ROWS = (
    *(Row((name,)) for name in OBJECTIVES),
    Row(("functional", "masked", "flows")),
    Row(("functional", "episodes")),
    Row(("descriptors", "ranks")),
    Row(("descriptors", "episodes")),
    Row(("episodes", "synthetic episodes")),
    *(Row(objectives, frozen=0.5) for objectives in (_FUNCTIONAL, _RANKS, _EPISODES)),
    Row(_FUNCTIONAL, channels=128),
    *(replace(_K_GNN, objectives=(name,)) for name in OBJECTIVES if "synthetic" not in name),
    *(replace(_PAPER, objectives=(name,)) for name in ("spectral", "functional", "descriptors")),
)
#: What the words of README and guide rest on: with more seeds. The first is trained as what ships.
CLAIMS = (
    Row(_FUNCTIONAL, frozen=0.5),
    Row(_FUNCTIONAL),
    Row(("spectral",)),
    replace(_K_GNN, objectives=_FUNCTIONAL),
    *(replace(_PAPER, objectives=(name,)) for name in ("spectral", "functional")),
)


# --- data -------------------------------------------------------------------------------------------------------------


@dataclass(eq=False)
class Judged:
    """A pool of networks with labels, and descriptors in the form that the process reads."""

    family: str
    graphs: list[Graph]
    labels: NDArray[Any]
    views: dict[str, NDArray[np.float32]]
    prepared: dict[int, list[Any]] = field(default_factory=dict)

    def encode(self, encoder: Any) -> NDArray[np.float32] | None:
        """Vectors of the networks; what the graph networks need of a graph is prepared once."""
        if not isinstance(encoder, ContrastiveEncoder):
            return None if encoder is None else np.asarray(encoder.encode(self.graphs))
        positions = encoder.config.positions
        if positions not in self.prepared:
            self.prepared[positions] = encoder.prepare(self.graphs)
        return np.asarray(encoder.encode_prepared(self.prepared[positions]))

    def score(self, vectors: NDArray[np.float32] | None, use: str, count: int, draw: int) -> float:
        """Spearman's correlation over the networks without label."""
        views = dict(self.views) if use == BESIDE else {}
        if vectors is not None:
            views |= _views(vectors, "vectors", "vector_components")
        chosen = random_labels(len(self.graphs), count, draw)
        rest = np.setdiff1d(np.arange(len(self.graphs)), chosen)
        score = gp_scores(views, STRUCTURES[use], chosen, self.labels[chosen], draw, PROCESS)
        return spearman(score[rest], self.labels[rest])


def read(table: str, data: Path, seed: int, size: int) -> tuple[list[Graph], NDArray[Any]]:
    """Networks and labels of a table, a seeded sample."""
    part = read_family(family_named(table), data).sample(size, np.random.default_rng(seed))
    return part.graphs(), part.labels


def read_transformers(path: Path, data: Path) -> tuple[list[Graph], NDArray[Any]]:
    """Published networks that attend, among those of a file of graph documents whose ids are timm's."""
    built = documents(path)
    family = read_family(family_named("timm"), data)
    attend = [
        i for i, a in enumerate(family.archs) if a in built and any(node.op == "Attention" for node in built[a].nodes)
    ]
    part = replace(family.some(attend), built=built).sample(JUDGED, np.random.default_rng(0))
    return part.graphs(), part.labels


def batches(graphs: Sequence[Graph], labels: NDArray[Any], rng: np.random.Generator) -> Iterator[Batch]:
    """Batches of one family in a random order, each network once."""
    encoder = Descriptors()
    x = encoder.encode(graphs).astype(np.float64)
    spread = x.std(axis=0)
    z = np.clip((x - x.mean(axis=0)) / np.where(spread > 1e-9, spread, 1.0), -4, 4)
    z[:, spread <= 1e-9] = 0
    flows = np.array([name.startswith("signal") or "flow" in name for name in encoder.names])
    targets = normal_scores(labels)
    near = spectral_features(graphs), functional_features(graphs)
    order = rng.permutation(len(graphs))
    for begin in range(0, len(order) - BATCH // 2, BATCH):
        chosen = order[begin : begin + BATCH]
        some = [graphs[i] for i in chosen]
        tensors = [torch.from_numpy(a[chosen]).float() for a in (*near, z[:, flows], z, targets)]
        path, graph = path_batch(some), graph_batch([prepare_graph(g, 0) for g in some], True, 6, True)
        paper = graph_batch([prepare_graph(g, ContrastiveConfig.positions) for g in some], False, 6, False)
        owner = graph.order.argsort().repeat_interleave(graph.ptr.diff())
        counts = torch.zeros(len(some), len(graph.x)).index_put_((owner, graph.code), torch.ones(1), accumulate=True)
        yield Batch(path, graph, paper, *tensors, _counts(some), counts)


def _counts(graphs: Sequence[Graph]) -> Tensor:
    """How often each row of `path_batch`'s features occurs in each graph, (G, C)."""
    batch = make_batch(graphs)
    plan = compile_plan(batch, SignatureFeatures(batch.signatures).is_input > 0)
    used = np.unique(plan.sequence)
    used = used[used >= 0]
    types = np.zeros((len(plan.sequence), len(used)))
    for _, rows, codes in plan.along():
        np.add.at(types, (rows, np.searchsorted(used, codes)), 1)
    counts = np.zeros((plan.n_graphs, len(used)))
    np.add.at(counts, plan.graph, types[plan.type])
    return torch.from_numpy(counts).float()


# --- the study --------------------------------------------------------------------------------------------------------


def train(row: Row, seed: int, data: Sequence[Batch]) -> Any:
    """Steps of Adam along a cosine schedule, a batch of one family each."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        widths = {name: getattr(data[0], name).shape[-1] for name in ("flows", "descriptors")} | {
            "classes": len(CLASSES)
        }
        learner = Learner(row, seed, widths)
        optimizer = torch.optim.Adam(learner.parameters(), lr=row.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, row.steps)
        for _ in range(row.steps):
            loss = learner.loss(data[int(torch.randint(len(data), ()))])
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
            optimizer.step()
            schedule.step()
    return learner.encoder()


def untrained(row: Row, seed: int) -> Any:
    """What `train` begins with."""
    if row.encoder == "path":
        return PathEncoder(PathConfig(row.channels, seed))
    config = ContrastiveConfig(seed=seed)
    if row.encoder == "k-GNN":
        config = replace(config, attention_layers=0, positions=0, both_ways=True, rich=True)
    return ContrastiveEncoder(config)


class _Beside:
    """Untrained vectors with further columns: what an encoder could gain that knew them, too."""

    def __init__(self, seed: int, columns: Callable[[Judged, int], NDArray[Any]], pool: Judged) -> None:
        self.seed, self.columns, self.pool = seed, columns, pool

    def encode(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """Of the pool."""
        own = untrained(Row(()), self.seed).encode(graphs)
        return np.concatenate([own, self.columns(self.pool, self.seed).astype(np.float32)], axis=1)


@cache
def _score(pool: Judged) -> NDArray[np.float64]:
    score = Predictor((pool.family,), warn=False).predict(pool.graphs, pool=pool.graphs)
    return np.repeat(np.asarray(score)[:, None], REPEATED, axis=1)


def _three_more(pool: Judged, seed: int) -> NDArray[Any]:
    others = [PathEncoder(PathConfig(Row.channels, 1000 + 3 * seed + i)) for i in range(3)]
    return np.concatenate([encoder.encode(pool.graphs) for encoder in others], axis=1)


BESIDE_UNTRAINED: dict[str, Callable[[Judged, int], NDArray[Any]]] = {
    f"untrained, and {REPEATED} times the score without labels": lambda pool, seed: _score(pool),
    "untrained, and all descriptors": lambda pool, seed: pool.views["descriptors"],
    "untrained, and three more untrained": _three_more,
}


class Study:
    """Everything on one half: encoders trained on it, judged on the other."""

    def __init__(self, half: int, data: Path, folder: Path, graphs: Path | None) -> None:
        self.half, self.data = half, data
        keys = {"vectors": str, "seed": int, "table": str, "use": str, "labels": int, "draw": int}
        self.rows = ResultRows(folder / f"objectives-{half}.csv", keys, {"spearman": float})
        rng = np.random.default_rng(half)
        self.batches = [b for t in HALVES[half] for b in batches(*read(t, data, 1, TRAINED_ON), rng)]
        self.pools = {t: self._pool(family_named(t).name, *read(t, data, 0, JUDGED)) for t in HALVES[1 - half]}
        if graphs is not None and "autoformer" in self.pools:  # judged by encoders that saw no transformer
            self.pools[TRANSFORMERS] = self._pool("timm", *read_transformers(graphs, data))

    def _pool(self, family: str, graphs: list[Graph], labels: NDArray[Any]) -> Judged:
        return Judged(family, graphs, labels, _views(Descriptors().encode(graphs), "descriptors", "components"))

    def run(self, seeds: int, claim_seeds: int, only: Sequence[str], say: Callable[[str], None]) -> None:
        """All rows that are missing, or those of the given names, seed by seed; those of `CLAIMS` have more seeds than the others."""
        for seed in range(max(seeds, claim_seeds)):
            if seed < seeds:
                self._judge("descriptors", seed, lambda pool: None, (BESIDE,))
                for name, columns in BESIDE_UNTRAINED.items():
                    self._judge(name, seed, partial(_Beside, seed, columns), (ALONE,))
            for row in [r for r in (ROWS if seed < seeds else CLAIMS) if not only or r.name in only]:
                begin = time.perf_counter()
                self._judge(f"{row.twin}, untrained", seed, lambda pool, r=row, s=seed: untrained(r, s))  # type: ignore[misc]
                self._judge(row.name, seed, _once(partial(train, row, seed, self.batches)))
                say(f"half {self.half}, seed {seed}: {row.name}, {time.perf_counter() - begin:.0f} s")

    def _judge(
        self, name: str, seed: int, make: Callable[[Judged], Any], uses: Sequence[str] = (ALONE, BESIDE)
    ) -> None:
        for table, pool in self.pools.items():
            draws = range(
                seed * DRAWS, (seed + 1) * DRAWS
            )  # labels of its own for each seed: errors over seeds hold both
            keys = [(name, seed, table, use, n, draw) for use in uses for n in LABELS for draw in draws]
            if all(key in self.rows.done for key in keys):
                continue
            vectors = pool.encode(make(pool))
            for key in keys:
                value = pool.score(vectors, key[3], key[4], key[5])
                fields = dict(zip(("vectors", "seed", "table", "use", "labels", "draw"), key, strict=True))
                self.rows.add({**fields, "spearman": value})


def _once(make: Callable[[], Any]) -> Callable[[Judged], Any]:
    made: list[Any] = []

    def get(pool: Judged) -> Any:
        if not made:
            made.append(make())
        return made[0]

    return get


def main() -> None:
    """Run the study, or one half of it, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True, help="folder with the label tables")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder for objectives.md and its rows")
    parser.add_argument("--half", type=int, choices=(0, 1), action="append", help="train on this half; 0 if absent")
    parser.add_argument("--graphs", type=Path, help="graph documents of timm, for its transformers")
    parser.add_argument("--seeds", type=int, default=3, help="of weights and batches")
    parser.add_argument("--claim-seeds", type=int, default=5, help="likewise, for the rows that the guide speaks of")
    parser.add_argument("--row", action="append", default=[], help="only the trainings of these names")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    for half in arguments.half or (0,):
        Study(half, arguments.data, arguments.output, arguments.graphs).run(
            arguments.seeds, arguments.claim_seeds, arguments.row, lambda line: print(line, flush=True)
        )
    settings = (
        f"{TRAINED_ON} networks of each family, {STEPS} steps of {BATCH} networks, Adam at {Row.rate:g} unless a row says otherwise. Judged on {JUDGED} "
        f"networks of each table, with {DRAWS} draws of labels of its own for each seed."
    )
    pairs = [(name, f"{Row(()).twin}, untrained") for name in BESIDE_UNTRAINED]
    pairs += [(row.name, f"{row.twin}, untrained") for row in ROWS]
    write_report(arguments.output, pairs, [", ".join(half) for half in HALVES], settings)


if __name__ == "__main__":
    main()
