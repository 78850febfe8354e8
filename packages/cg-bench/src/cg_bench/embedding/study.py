"""``cg bench embedding``: what learned vectors of networks add to descriptors, and what training adds to random weights.

A Gaussian process is fitted to the same labels on descriptors, on vectors alone and on both. Each averages over several kernels by how well
they predict labels left out, the one on descriptors too, and noise of as many columns stands beside every claim that vectors add something.
Encoders are trained without labels, on graphs sampled from all spaces, with several seeds.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_bench.embedding.vectors import Noise, Unweighted, embedding_from
from cg_bench.ranking.methods import random_labels
from cg_bench.rows import ResultRows
from cg_embed import shipped_encoder
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.features import descriptors
from cg_predict.gp import AveragedGaussianProcess, Structure
from cg_predict.kernels import Whitening
from cg_predict.metrics import spearman
from cg_predict.pool import PoolScale
from cg_predict.predictor import Predictor
from cg_predict.tables import LabelledFamily, family_named, read_family
from cg_predict.targets import normal_scores
from cg_predict.threads import single_threaded

__all__ = [
    "ALONE", "BESIDE", "DESCRIPTORS", "PREDICTOR", "Settings", "Study", "evaluation_rows", "read_settings", "training_rows",
]  # fmt: skip

#: How vectors are used: alone, beside descriptors, and in a `Predictor`, beside descriptors and prior.
ALONE, BESIDE, PREDICTOR = "alone", "beside descriptors", "beside descriptors and prior"
DESCRIPTORS, NOISE, NOTHING = "descriptors", "noise", "no vectors"
PATH_UNTRAINED, PATH_SHIPPED = "path, untrained", "path, as shipped"
PATH_UNWEIGHTED = "path, as shipped, columns not weighted"
PAPER_UNTRAINED = "paper's, untrained"
STRUCTURES = {
    ALONE: (Structure(("vectors",)), Structure(("vector_components",)), Structure(("vectors", "vector_components"))),
    BESIDE: (
        Structure(("descriptors",)),
        Structure(("components",)),
        Structure(("descriptors", "components")),
        Structure(("descriptors", "vectors")),
        Structure(("descriptors", "components", "vectors", "vector_components")),
    ),
}
_COMPONENTS = 48


@dataclass(frozen=True)
class Settings:
    """What is compared, see ``embedding.yaml``."""

    networks: int
    labels: Mapping[int, int]
    labels_over_seeds: tuple[int, ...]
    seeds: Mapping[str, int]
    families: tuple[str, ...]
    spaces: tuple[str, ...]
    graphs: int
    trained: Mapping[str, Mapping[str, Any]]


def read_settings(quick: bool = False) -> Settings:
    """The settings of the study, or of its quick form."""
    import yaml

    document = yaml.safe_load(Path(__file__).with_name("embedding.yaml").read_text(encoding="utf-8"))
    changes = document.pop("quick")
    if quick:
        steps = changes.pop("steps")
        document["trained"] = {
            name: {**t, "seeds": min(t["seeds"], 2), "settings": {**t["settings"], "steps": steps}}
            for name, t in document["trained"].items()
        }
        document.update(changes)
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in document.items()}
    return Settings(**values)


def evaluation_rows(folder: Path) -> ResultRows:
    """``results.csv``: Spearman over the networks without labels, by family, vectors, their seed, use, labels and draw."""
    keys = {"family": str, "vectors": str, "seed": int, "use": str, "labels": int, "draw": int}
    return ResultRows(folder / "results.csv", keys, {"spearman": float, "networks": int})


def training_rows(folder: Path) -> ResultRows:
    """``training.csv``: what each training took."""
    measures = {"steps": int, "batch": int, "seconds": float, "first_loss": float, "last_loss": float}
    return ResultRows(folder / "training.csv", {"vectors": str, "seed": int}, measures)


@dataclass
class _Pool:
    """A family's networks, and what all comparisons on it share."""

    labelled: LabelledFamily
    graphs: list[Graph]
    views: dict[str, NDArray[np.float32]]

    @classmethod
    def read(cls, name: str, data: Path, size: int) -> _Pool:
        labelled = read_family(family_named(name), data).sample(size, np.random.default_rng(0))
        graphs = labelled.graphs()
        return cls(labelled, graphs, _views(descriptors().encode(graphs), DESCRIPTORS, "components"))


def _views(x: NDArray[np.float32], whole: str, components: str) -> dict[str, NDArray[np.float32]]:
    """Columns standardised over the pool, and their half-whitened principal components."""
    z = PoolScale(x).standardise(x)
    return {whole: z, components: Whitening(0.5, _COMPONENTS).fit(z).transform(z).astype(np.float32)}


@single_threaded
def gp_scores(
    views: Mapping[str, NDArray[np.float32]],
    structures: Sequence[Structure],
    chosen: Any,
    labels: Any,
    draw: int,
    effort: tuple[int, int] | None = None,
) -> NDArray[np.float64]:
    """Scores of all networks of a pool from the labels of those ``chosen``, averaged over kernels.

    Args:
        views: features of the pool, (n, d) each.
        structures: the kernels; a view that is missing drops out of them.
        chosen: indices of the labelled networks, (k,).
        labels: theirs, (k,).
        draw: seed of the hyper-parameters.
        effort: settings of the hyper-parameters that are drawn, over all kernels, and rounds of their refinement; by the number of labels if absent.
    """
    usable = [Structure(tuple(v for v in s.views if v in views)) for s in structures]
    usable = list(dict.fromkeys(s for s in usable if s.views))
    many = len(chosen) > 100  # where the best settings stand out, and each costs more
    draws, refinements = effort or ((48, 2) if many else (160, 3))
    process = AveragedGaussianProcess(
        usable,
        rng=np.random.default_rng([draw, 0]),
        draws=draws // len(usable),
        refinements=refinements,
    )
    process.prepare(views)
    process.fit({k: v[chosen] for k, v in views.items()}, normal_scores(labels))
    return np.asarray(process.predict(views), dtype=np.float64)


@dataclass
class Study:
    """The comparison, one set of vectors at a time.

    Args:
        settings: what is compared.
        data: folder with the label tables.
        encoders: folder where trained encoders, and the states of those in training, are kept.
        rows, training: the result files.
        progress: told what is done.
        after: called after each set of vectors, to write the page.
    """

    settings: Settings
    data: Path
    encoders: Path
    rows: ResultRows
    training: ResultRows
    progress: Callable[[str], None]
    after: Callable[[], None]
    _pools: dict[str, _Pool] = field(default_factory=dict)
    _sampled: dict[str, list[Any]] = field(default_factory=dict)
    _prepared: dict[str, Any] = field(default_factory=dict)

    def run(self, stages: Sequence[str] = ()) -> None:
        """All comparisons that the result file lacks.

        Args:
            stages: only these: ``descriptors`` (and noise), ``path`` (untrained and as shipped), ``paper's`` (untrained), a name from
                ``trained``, ``predictor``.
        """
        known = ("descriptors", "path", "paper's", *self.settings.trained, "predictor")
        for name in stages:
            if name not in known:
                raise CgError(f"there is no stage '{name}'; there are {', '.join(known)}")
        wanted = tuple(stages) or known
        if "descriptors" in wanted:
            self._compare(DESCRIPTORS, 0, None, (BESIDE,))
            for seed in range(self.settings.seeds["noise"]):
                self._compare(NOISE, seed, _for_all(Noise, len(shipped_encoder()), seed), (BESIDE,))
        for kind, untrained in (("path", PATH_UNTRAINED), ("paper's", PAPER_UNTRAINED)):
            if kind in wanted:
                for seed in range(self.settings.seeds[kind]):
                    self._compare(untrained, seed, _for_all(self._untrained, kind, seed))
                if kind == "path":
                    self._compare(PATH_SHIPPED, 0, _for_all(shipped_encoder))
            for name, training in self.settings.trained.items():
                if name in wanted and name.startswith(kind):
                    for seed in range(training["seeds"]):
                        self._compare(name, seed, partial(self.trained, name, seed))
        if "predictor" in wanted:
            self._in_predictor()

    # --- encoders -----------------------------------------------------------------------------------------------------

    def _untrained(self, kind: str, seed: int) -> Any:
        """The encoder that training starts from."""
        from cg_embed import ContrastiveConfig, ContrastiveEncoder, PathConfig, PathEncoder

        if kind == "path":
            options = self._options("path")
            return PathEncoder(PathConfig(**options, seed=seed))
        options = self._options("contrastive")
        return ContrastiveEncoder(ContrastiveConfig(**options, seed=seed))

    def _options(self, encoder: str) -> Mapping[str, Any]:
        given = [t["settings"] for t in self.settings.trained.values()]
        return next((t["options"] for t in given if t["encoder"] == encoder), {})

    def trained(self, name: str, seed: int, family: str) -> Any:
        """An encoder trained as the settings say; one that was trained before is read.

        Args:
            name: of the settings. Where these have ``leave_out``, no graph of the family is trained on.
            seed: of the weights and the batches.
            family: on whose networks the encoder is to be judged.
        """
        from cg_embed import ContrastiveEncoder, PathEncoder
        from cg_embed.pretrain import TrainingConfig, sample_families, train

        given = self.settings.trained[name]["settings"]
        spaces, vectors = self.settings.spaces, name
        if self.settings.trained[name].get("leave_out"):
            spaces, vectors = tuple(s for s in spaces if s != family), f"{name}, without {family}"
        options = {**given["options"], "seed": seed}
        config = TrainingConfig(
            **{**given, "options": options, "seed": seed}, spaces=spaces, graphs=self.settings.graphs
        )
        folder = self.encoders / f"{vectors.replace(', ', '-').replace(' ', '-')}-{seed}"
        if (folder / "config.json").is_file() and (vectors, seed) in self.training.done:
            return (PathEncoder if config.encoder == "path" else ContrastiveEncoder).load(folder)
        if not self._sampled:  # the same graphs for all
            self._sampled.update(sample_families(TrainingConfig(spaces=self.settings.spaces, graphs=config.graphs)))
        losses: list[float] = []

        def report(step: int, loss: float) -> None:
            losses.append(loss)
            if (step + 1) % 100 == 0:
                self.progress(f"{vectors}, seed {seed}: step {step + 1}, loss {np.mean(losses[-50:]):.4f}")

        folder.mkdir(parents=True, exist_ok=True)
        begin = time.perf_counter()
        encoder = train(config, {s: self._sampled[s] for s in spaces}, folder, resume=True, report=report)
        seconds = time.perf_counter() - begin
        encoder.save(folder)
        if (vectors, seed) not in self.training.done:
            first, last = (float(np.mean(part)) if losses else float("nan") for part in (losses[:20], losses[-20:]))
            row = {"vectors": vectors, "seed": seed, "steps": config.steps, "batch": config.batch, "seconds": seconds}
            self.training.add(row | {"first_loss": first, "last_loss": last})
        return encoder

    def _encode(self, encoder: Any, family: str) -> NDArray[np.float32]:
        """Vectors of a family's networks; what the paper's encoders need of a graph is prepared once."""
        graphs = self._pool(family).graphs
        if not hasattr(encoder, "prepare"):
            return np.asarray(encoder.encode(graphs))
        if family not in self._prepared:
            self._prepared[family] = encoder.prepare(graphs)
        return np.asarray(encoder.encode_prepared(self._prepared[family]))

    # --- comparisons --------------------------------------------------------------------------------------------------

    def _pool(self, family: str) -> _Pool:
        if family not in self._pools:
            self._pools[family] = _Pool.read(family, self.data, self.settings.networks)
        return self._pools[family]

    def _missing(self, vectors: str, seed: int, uses: Sequence[str]) -> list[tuple[str, str, int, int]]:
        keys = [
            (family, use, count, draw)
            for family in self.settings.families
            for use in uses
            for count in self.settings.labels
            if not seed or count in self.settings.labels_over_seeds
            for draw in range(self.settings.labels[count])
        ]
        return [
            (family, use, count, draw)
            for family, use, count, draw in keys
            if (family, vectors, seed, use, count, draw) not in self.rows.done
        ]

    def _add(self, key: tuple[str, str, int, int], vectors: str, seed: int, score: Any, chosen: Any) -> None:
        family, use, count, draw = key
        rest = np.setdiff1d(np.arange(len(score)), chosen)
        value = spearman(score[rest], self._pool(family).labelled.labels[rest])
        row = {"family": family, "vectors": vectors, "seed": seed, "use": use, "labels": count, "draw": draw}
        self.rows.add(row | {"spearman": value, "networks": len(rest)})

    def _compare(
        self, vectors: str, seed: int, make: Callable[[str], Any] | None, uses: Sequence[str] = (ALONE, BESIDE)
    ) -> None:
        missing = self._missing(vectors, seed, uses)
        if not missing:
            return
        views: dict[str, NDArray[np.float32]] = {}
        current = ""
        for key in missing:
            family, use, count, draw = key
            pool = self._pool(family)
            if family != current:
                views, current = dict(pool.views), family
                if make is not None:
                    views |= _views(self._encode(make(family), family), "vectors", "vector_components")
            used = {v for s in STRUCTURES[use] for v in s.views}
            chosen = random_labels(len(pool.graphs), count, draw)
            part = {k: v for k, v in views.items() if k in used}
            score = gp_scores(part, STRUCTURES[use], chosen, pool.labelled.labels[chosen], draw)
            self._add(key, vectors, seed, score, chosen)
        self.progress(f"{vectors}, seed {seed}")
        self.after()

    def _in_predictor(self) -> None:
        """The shipped predictor without vectors, with noise in their place, with untrained and trained ones."""
        shipped = shipped_encoder()
        self._predict(NOTHING, 0, lambda _: shipped, embedding=False)
        self._predict(PATH_SHIPPED, 0, lambda _: shipped)
        self._predict(PATH_UNWEIGHTED, 0, _for_all(Unweighted, shipped))
        named = next((name for name in self.settings.trained if name.startswith("path")), None)
        for seed in range(self.settings.seeds["predictor"]):
            self._predict(NOISE, seed, _for_all(Noise, len(shipped), seed, shipped.weights))
            self._predict(PATH_UNTRAINED, seed, _for_all(self._untrained, "path", seed))
            if named is not None:
                self._predict(named, seed, partial(self.trained, named, seed))

    def _predict(self, vectors: str, seed: int, make: Callable[[str], Any], embedding: bool = True) -> None:
        missing = self._missing(vectors, seed, (PREDICTOR,))
        if not missing:
            return
        for family in dict.fromkeys(key[0] for key in missing):
            with embedding_from(make(family)):
                predictor = Predictor((family_named(family).name,), embedding=embedding, warn=False)
                pool = self._pool(family)
                for key in missing:
                    if key[0] == family:
                        chosen = random_labels(len(pool.graphs), key[2], key[3])
                        predictor.set_params(seed=key[3])
                        predictor.fit([pool.graphs[i] for i in chosen], pool.labelled.labels[chosen], pool=pool.graphs)
                        self._add(key, vectors, seed, predictor.predict(pool.graphs, pool=pool.graphs), chosen)
        self.progress(f"predictor with {vectors}, seed {seed}")
        self.after()


def _for_all(make: Callable[..., Any], *arguments: Any) -> Callable[[str], Any]:
    """What makes the same encoder for every family, once."""
    made = cache(lambda: make(*arguments))
    return lambda family: made()
