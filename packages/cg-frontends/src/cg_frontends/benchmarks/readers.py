"""The readers that are registered: one a benchmark, for all files in which its labels are found, and one for any CSV."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from cg_frontends.benchmarks.garbage import uncollected
from cg_frontends.benchmarks.index_cache import cached
from cg_frontends.benchmarks.table import LabelTable
from cg_ir import SourceError, get_space

_CSV = (".csv", ".csv.gz")


class Reader:
    """A benchmark whose labels come in several kinds of files.

    Attributes:
        name: the benchmark.
        space: the space that it labels.
        files: names (patterns) under which its files are looked for where ``open`` is given a folder, the best first.
    """

    name: str
    space: str
    files: tuple[str, ...] = ()

    def open(self, path: str) -> LabelTable:
        """The table in a file, or in a folder that holds one of the benchmark's files.

        Raises:
            SourceError: nothing is there that the reader knows, or it cannot be read.
        """
        place = Path(path)
        if not place.exists():
            raise SourceError(f"{path}: no such file or folder")
        build = self.reader(place)
        if build is None and place.is_dir():
            for pattern in self.files:
                for found in sorted(place.glob(pattern)):
                    build = build or self.reader(found)
        if build is None:
            raise SourceError(f"{path}: no labels of {self.name} here; known are {', '.join(self.files)}")
        with uncollected():
            return build()

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        """What reads this very file or folder, by default a CSV; None where it is none of the benchmark's."""
        from cg_frontends.benchmarks.csv_table import read_csv

        return (lambda: read_csv(path, self.space)[1]) if path.is_file() else None

    def _indexed(self, path: Path, build: Callable[[], LabelTable]) -> Callable[[], LabelTable]:
        canonical = getattr(get_space(self.space), "canonical", None)
        return lambda: cached(path, f"{self.name} 1", build, canonical)


class CsvLabels(Reader):
    """Any CSV: a column ``arch`` or the columns of a benchmark's table, and columns of numbers.

    Args:
        space: the space of the architectures, where the columns do not tell it.
    """

    name = "csv"
    space = ""
    files = ("*.csv", "*.csv.gz")

    def __init__(self, space: str = "") -> None:
        self.space = space


class NasBench101Labels(Reader):
    """NAS-Bench-101: the official TFRecord files, or a CSV."""

    name = "nb101"
    space = "nb101"
    files = ("nasbench_full.tfrecord", "nasbench_only108.tfrecord", "nb101.csv.gz", "nb101.csv")

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        if path.suffix == ".tfrecord":
            from cg_frontends.benchmarks.nb101_records import read_nb101

            return self._indexed(path, lambda: read_nb101(path))
        return super().reader(path)


class _NatsLabels(Reader):
    """A space of NATS-Bench."""

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        from cg_frontends.benchmarks.nats import SUFFIX, read_nats

        if (path / f"meta{SUFFIX}").is_file() if path.is_dir() else path.name.endswith(SUFFIX):
            return self._indexed(path, lambda: read_nats(path, self.space))
        return super().reader(path)


class NasBench201Labels(_NatsLabels):
    """NAS-Bench-201: NATS-Bench's topology folder or file, the older ``.pth`` file, or a CSV."""

    name = "nb201"
    space = "nb201"
    files = ("NATS-tss-*-simple", "NATS-tss-*.pickle.pbz2", "NAS-Bench-201-*.pth", "nb201_cifar10.csv.gz", "nb201*.csv")

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        if path.suffix == ".pth":
            from cg_frontends.benchmarks.nb201_archive import read_nb201_archive

            return self._indexed(path, lambda: read_nb201_archive(path))
        return super().reader(path)


class NasBench301Labels(Reader):
    """NAS-Bench-301: a folder of training results (JSON), or a CSV."""

    name = "nb301"
    space = "nb301"
    files = ("nb_301*", "nasbench301*", "nb301_surrogate.csv.gz", "nb301*.csv")

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        if path.is_dir():
            if next(path.rglob("*.json"), None) is None:
                return None
            from cg_frontends.benchmarks.nb301_runs import read_nb301_runs

            return self._indexed(path, lambda: read_nb301_runs(path))
        return super().reader(path)


class OnceForAllLabels(Reader):
    """Once-for-All: ``RESOLUTION.dict`` files as its code writes them, or a CSV."""

    name = "mobilenetv3"
    space = "mobilenetv3"
    files = ("*.dict", "ofa_mbv3_imagenet.csv.gz", "ofa*.csv")

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        if path.suffix == ".dict" or (path.is_dir() and next(path.glob("*.dict"), None) is not None):
            from cg_frontends.benchmarks.ofa_accuracies import read_ofa

            return lambda: read_ofa(path)
        return super().reader(path)


class NatsSizeLabels(_NatsLabels):
    """The size space of NATS-Bench: its folder or file, or a CSV."""

    name = "natssize"
    space = "natssize"
    files = ("NATS-sss-*-simple", "NATS-sss-*.pickle.pbz2", "nats_size_cifar10.csv.gz", "nats_size*.csv")


class MnasNetLabels(Reader):
    """MnasNet-style networks."""

    name = "mnasnet"
    space = "mnasnet"
    files = ("mnasnet_imagenet.csv.gz", "mnasnet*.csv")


class TransNasLabels(Reader):
    """TransNAS-Bench-101, cells and skeletons: a column ``arch``, one column a task."""

    name = "transnas"
    space = "transnas"
    files = ("transnas101.csv.gz", "transnas*.csv")


class AutoFormerLabels(Reader):
    """Vision transformers of the AutoFormer space: their settings as JSON in a column ``arch_json``."""

    name = "autoformer"
    space = "autoformer"
    files = ("autoformer.csv.gz", "autoformer*.csv")


class MetaQnnLabels(Reader):
    """Plain CNNs of MetaQNN: lists of layers in a column ``net``."""

    name = "metaqnn"
    space = "metaqnn"
    files = ("metaqnn_cifar10.csv.gz", "metaqnn*.csv")


class Naap440Labels(Reader):
    """NAAP-440: lists of layers in a column ``layers``."""

    name = "naap440"
    space = "naap440"
    files = ("naap440.csv.gz", "naap440*.csv")


class TimmLabels(Reader):
    """Accuracies of timm's weights on ImageNet, one label an architecture and resolution.

    Args:
        recipes: ``in1k`` (recipes that saw ImageNet-1k alone) or ``all``.
        label: ``adjusted`` (the recipe's effect is estimated and taken out), ``best`` or ``mean`` of an architecture's recipes.
    """

    name = "timm"
    space = "timm"
    files = ("timm_imagenet.csv.gz", "timm_imagenet*.csv")

    def __init__(self, recipes: str = "in1k", label: str = "adjusted") -> None:
        from cg_frontends.benchmarks.timm_results import LABELS, RECIPES
        from cg_frontends.spaces.options import read_choice

        self.recipes = read_choice(self.name, "recipes", recipes, RECIPES)
        self.label = read_choice(self.name, "label", label, LABELS)

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        from cg_frontends.benchmarks.timm_results import read_timm

        return (lambda: read_timm(path, self.recipes, self.label)) if path.is_file() else None


class LabelledGraphs(Reader):
    """Graph documents with labels, JSON Lines: a family of one's own. Its table has the networks, too: ``table.graph(arch)``."""

    name = "graphs"
    space = ""
    files = ("*.jsonl.gz", "*.jsonl")

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        from cg_frontends.benchmarks.graph_labels import read_graphs

        return (lambda: read_graphs(path)) if path.is_file() else None


class AnalogNasBench(Reader):
    """AnalogNAS-Bench: ``data.anb``, or the folder of the installed package ``analognasbench``."""

    name = "analog-nasbench"
    space = "nb201"
    files = ("data.anb", "*/data.anb")

    def reader(self, path: Path) -> Callable[[], LabelTable] | None:
        from cg_frontends.benchmarks.analog import read_analog

        return (lambda: read_analog(path)) if path.is_file() else None
