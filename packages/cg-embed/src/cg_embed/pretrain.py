"""Pre-training of encoders on unlabelled graphs, resumable and the same for the same seed.

Each step draws a family, then graphs of it, compares their distances in a feature space (`cg_embed.contrastive.POSITIVES`) with the
similarities of their embeddings, and takes one step of Adam along a cosine schedule. Everything random in step t comes from a
generator seeded with (seed, t), so a run that was stopped goes on as if it had not been.
"""

from __future__ import annotations

import json
import math
import sys
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

import cg_ir
from cg_ir.errors import CgError

from .accelerator import PRECISIONS, device_named, moved, precision_on
from .checkpoint import read_checkpoint, write_checkpoint
from .contrastive import POSITIVES, contrastive_loss, soft_targets
from .contrastive_encoder import ContrastiveConfig, ContrastiveEncoder
from .kgnn import flip_signs, graph_batch, prepare_graph
from .path_encoder import PathConfig, PathEncoder
from .path_layer import PathModule, path_batch

Families = Mapping[str, Sequence[Any]]
ENCODERS = ("path", "contrastive")


class TrainingError(CgError):
    """A training configuration that makes no sense, or a run that cannot be resumed."""


@dataclass(frozen=True)
class TrainingConfig:
    """What to train, on what, and how.

    Attributes:
        encoder: ``path`` (`PathEncoder`) or ``contrastive`` (the paper's, `ContrastiveEncoder`).
        options: fields of `PathConfig` or `ContrastiveConfig`.
        spaces: registered search spaces to sample, each a family; options as in ``name?key=value``.
        graph_files: families read from JSON Lines of graphs, by name.
        graphs: how many graphs to sample from each space.
        positives: ``functional`` or ``spectral``.
        steps, batch, learning_rate: of Adam, with a cosine schedule to 0.
        temperature: of the similarities; sharpness: of the targets (`cg_embed.contrastive`).
        head: width of a projection head that a ``path`` encoder is trained with and then loses; 0 compares the standardised vectors
            themselves. A ``contrastive`` encoder has a head of its own.
        frozen: share of the channels of a ``path`` encoder that keep their random weights. Training pulls all channels towards
            what descriptors say; random ones keep telling networks apart in other ways.
        seed: of everything random but the initial weights, which ``options`` seeds.
        accumulate: batches, each of a family of its own, whose gradients make one step.
        device: of torch; ``auto`` takes an accelerator where there is one. Runs on different devices differ in the last digits.
        precision: ``float32``, ``bfloat16`` (mixed: the loss, and the passes of a ``path`` encoder, which add up logarithms over the depth of a
            graph, stay in single precision), or ``auto``, which is ``bfloat16`` on CUDA devices that have it.
        save_every: steps between saves of the state.
    """

    encoder: str = "path"
    options: Mapping[str, Any] = field(default_factory=dict)
    spaces: tuple[str, ...] = ()
    graph_files: Mapping[str, str] = field(default_factory=dict)
    graphs: int = 2000
    positives: str = "functional"
    steps: int = 500
    batch: int = 128
    learning_rate: float = 1e-3
    temperature: float = 0.1
    sharpness: float = 0.1
    head: int = 0
    frozen: float = 0.5
    seed: int = 0
    accumulate: int = 1
    device: str = "auto"
    precision: str = "auto"
    save_every: int = 100

    def __post_init__(self) -> None:
        checks = {
            "encoder": (self.encoder in ENCODERS, f"one of {', '.join(ENCODERS)}"),
            "positives": (self.positives in POSITIVES, f"one of {', '.join(POSITIVES)}"),
            "precision": (self.precision in PRECISIONS, f"one of {', '.join(PRECISIONS)}"),
            "device": (isinstance(self.device, str), "the name of a device, such as cpu or cuda"),
            "options": (isinstance(self.options, Mapping), "a mapping"),
            "graph_files": (isinstance(self.graph_files, Mapping), "a mapping of names to files"),
            "spaces": (
                not isinstance(self.spaces, str) and all(isinstance(s, str) for s in self.spaces), "a list of names"
            ),
            **{name: (_whole(getattr(self, name), 1), "a whole number from 1") for name in ("steps", "accumulate", "save_every")},
            **{name: (_whole(getattr(self, name), 2), "a whole number from 2") for name in ("graphs", "batch")},
            **{name: (_whole(getattr(self, name), 0), "a whole number from 0") for name in ("head", "seed")},
            **{
                name: (_positive(getattr(self, name)), "a positive number")
                for name in ("learning_rate", "temperature", "sharpness")
            },
            "frozen": (self.frozen == 0 or (_positive(self.frozen) and self.frozen < 1), "from 0 to below 1"),
        }  # fmt: skip
        for name, (good, expected) in checks.items():
            if not good:
                raise TrainingError(f"{name}: {getattr(self, name)!r} should be {expected}")
        object.__setattr__(self, "spaces", tuple(self.spaces))


def _whole(value: Any, low: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= low


def _positive(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < math.inf


def read_config(path: str | Path) -> TrainingConfig:
    """Read a YAML file of `TrainingConfig` fields.

    Raises:
        TrainingError: the file is missing or no YAML mapping, or a field is unknown or out of range.
    """
    import yaml

    try:
        document = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: cannot be read ({error.strerror})") from None
    except (UnicodeDecodeError, ValueError, RecursionError, yaml.YAMLError):  # YAML: also dates that are none
        raise TrainingError(f"{path}: is not YAML") from None
    if not isinstance(document, dict):
        raise TrainingError(f"{path}: should be a mapping of settings such as `encoder: path`")
    known = [f.name for f in fields(TrainingConfig)]
    unknown = sorted(str(k) for k in document if k not in known)
    if unknown:
        raise TrainingError(f"{path}: unknown settings {', '.join(unknown)}; known are {', '.join(known)}")
    try:
        return TrainingConfig(**document)
    except (TrainingError, TypeError) as error:
        raise TrainingError(f"{path}: {error}") from None


# --- data -------------------------------------------------------------------------------------------------------------


def sample_families(config: TrainingConfig) -> dict[str, list[Any]]:
    """Graphs of every family: sampled from its space with a seed of its own, or read from a file. Equal architectures are drawn once."""
    families: dict[str, list[Any]] = {}
    for name in config.spaces:
        space = cg_ir.get_space(name)
        rng = np.random.default_rng([config.seed, zlib.crc32(name.encode())])
        archs: dict[str, None] = {}
        for _ in range(20 * config.graphs):
            if len(archs) == config.graphs:
                break
            archs.setdefault(space.sample(rng))
        families[name] = [space.graph(arch) for arch in archs]
    for name, path in config.graph_files.items():
        families[name] = list(cg_ir.load_set(path))
    _check_sizes(families)
    if not families:
        raise TrainingError("nothing to train on: set `spaces` (see `cg plugins`) or `graph_files`")
    return families


def _check_sizes(families: Families) -> None:
    for name, graphs in families.items():
        if len(graphs) < 2:
            raise TrainingError(f"family {name} has {len(graphs)} graphs; a family needs at least 2")


# --- models -----------------------------------------------------------------------------------------------------------


class _Learner(nn.Module):
    """An encoder in training."""

    def _device(self) -> torch.device:
        return next(self.parameters()).device


class _PathLearner(_Learner):
    """`PathModule`, standardised over the batch, with a projection head if asked for."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self.body = PathModule(PathConfig(**config.options))
        d = self.body.config.dimension
        self.standardise = nn.BatchNorm1d(d, affine=False, track_running_stats=False)
        self.head = (
            nn.Sequential(nn.Linear(d, 2 * config.head), nn.ReLU(), nn.Linear(2 * config.head, config.head))
            if config.head
            else nn.Identity()
        )
        frozen = round(config.frozen * self.body.config.channels)
        for parameter in self.body.parameters():  # the last axis is that of the channels
            parameter.register_hook(
                lambda grad: torch.cat([torch.zeros_like(grad[..., :frozen]), grad[..., frozen:]], -1)
            )

    def forward(self, graphs: Sequence[Any], generator: torch.Generator | None = None) -> Tensor:
        batch = moved(path_batch(graphs), self._device())
        with torch.autocast(self._device().type, enabled=False):
            z: Tensor = self.body(batch)
        z = self.head(self.standardise(z))
        return z

    def encoder(self) -> PathEncoder:
        return self.body.encoder()


class _ContrastiveLearner(_Learner):
    """The paper's encoder; preparing a graph (its eigenvectors) is remembered, and their signs are random where a generator is given."""

    def __init__(self, config: TrainingConfig) -> None:
        super().__init__()
        self._encoder = ContrastiveEncoder(ContrastiveConfig(**config.options))
        self.body = self._encoder.module
        self.config = self._encoder.config
        self._prepared: dict[int, Any] = {}

    def prepare(self, graphs: Sequence[Any]) -> None:
        """Prepare graphs that were not seen before."""
        for graph in graphs:
            if id(graph) not in self._prepared:
                self._prepared[id(graph)] = prepare_graph(graph, self.config.positions)

    def forward(self, graphs: Sequence[Any], generator: torch.Generator | None = None) -> Tensor:
        self.prepare(graphs)
        prepared = [self._prepared[id(graph)] for graph in graphs]
        batch = graph_batch(prepared, self.config.rich, self.config.layers, self.config.both_ways)
        z: Tensor = self.body(moved(batch if generator is None else flip_signs(batch, generator), self._device()))
        return z

    def encoder(self) -> ContrastiveEncoder:
        self.body.cpu().eval()
        return self._encoder


# --- training ---------------------------------------------------------------------------------------------------------


def train(
    config: TrainingConfig,
    families: Families,
    directory: Path | None = None,
    resume: bool = False,
    report: Callable[[int, float], None] | None = None,
) -> PathEncoder | ContrastiveEncoder:
    """Train an encoder on graphs by family.

    Args:
        directory: where the state is kept (``state``), if anywhere.
        resume: go on from that state, if there is one.
        report: called after each step with its number and the loss.
    """
    _check_sizes(families)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        try:
            learner = (_PathLearner if config.encoder == "path" else _ContrastiveLearner)(config)
        except (AssertionError, RuntimeError, TypeError, ValueError) as error:
            raise TrainingError(f"options: {str(error).split(') ')[-1]}") from None
    device = device_named(config.device)
    learner.to(device)
    optimizer = optimizer_of(learner, config)
    first = _restore(config, learner, optimizer, directory) if resume and directory is not None else 0
    names = sorted(families)
    graphs = {name: list(families[name]) for name in names}
    places = {name: POSITIVES[config.positives](graphs[name]) for name in names}
    learner.train()
    for step in range(first, config.steps):
        for group in optimizer.param_groups:
            group["lr"] = config.learning_rate * 0.5 * (1 + math.cos(math.pi * step / config.steps))
        rng = np.random.default_rng([config.seed, step])
        optimizer.zero_grad()
        total = 0.0
        for _ in range(config.accumulate):
            name = names[int(rng.integers(len(names)))]
            chosen = rng.choice(len(graphs[name]), min(config.batch, len(graphs[name])), replace=False)
            targets = soft_targets(_distances(places[name][chosen]), config.sharpness).to(device)
            signs = torch.Generator().manual_seed(int(rng.integers(2**62)))
            with precision_on(device, config.precision):
                z = learner([graphs[name][i] for i in chosen], signs)
            loss = contrastive_loss(z.float(), targets, config.temperature) / config.accumulate
            loss.backward()
            total += float(loss.detach())
        nn.utils.clip_grad_norm_(learner.parameters(), 1.0)
        optimizer.step()
        if report is not None:
            report(step, total)
        if directory is not None and ((step + 1) % config.save_every == 0 or step + 1 == config.steps):
            _save(config, learner, optimizer, directory, step + 1)
    return learner.encoder()


def optimizer_of(learner: nn.Module, config: TrainingConfig) -> torch.optim.Adam:
    """Adam; on a processor, where each of many small weights costs more than its arithmetic, in one pass over all of them."""
    on_processor = all(parameter.device.type == "cpu" for parameter in learner.parameters())
    return torch.optim.Adam(learner.parameters(), lr=config.learning_rate, fused=on_processor)


def _distances(x: NDArray[np.float64]) -> Tensor:
    return torch.cdist(torch.from_numpy(x), torch.from_numpy(x), compute_mode="donot_use_mm_for_euclid_dist").float()


def _save(config: TrainingConfig, learner: nn.Module, optimizer: torch.optim.Adam, directory: Path, step: int) -> None:
    arrays = {f"parameter.{name}": value.detach().cpu().numpy() for name, value in learner.named_parameters()}
    for name, parameter in learner.named_parameters():
        state = optimizer.state.get(parameter)
        if state:
            arrays[f"first.{name}"] = state["exp_avg"].cpu().numpy()
            arrays[f"second.{name}"] = state["exp_avg_sq"].cpu().numpy()
            arrays[f"count.{name}"] = np.array([float(state["step"])], dtype=np.float32)
    arrays["step"] = np.array([step], dtype=np.int64)
    write_checkpoint(directory / "state", "training", json.loads(json.dumps(asdict(config))), arrays)


#: Settings that may change while a run is stopped: of where and how exactly it computes, and how often it saves.
_FREE = ("save_every", "device", "precision")


def _restore(config: TrainingConfig, learner: nn.Module, optimizer: torch.optim.Adam, directory: Path) -> int:
    if not (directory / "state").exists():
        return 0
    stored, arrays = read_checkpoint(directory / "state", "training")
    present = json.loads(json.dumps(asdict(config)))
    stored = {"accumulate": 1, **stored}  # of states from before it was a setting
    changed = sorted(key for key in present if stored.get(key) != present[key] and key not in _FREE)
    if changed:
        raise TrainingError(
            f"{directory} was trained with other settings ({', '.join(changed)}); choose another directory"
        )
    with torch.no_grad():
        for name, parameter in learner.named_parameters():
            parameter.copy_(torch.from_numpy(np.array(arrays[f"parameter.{name}"])))
            if f"first.{name}" in arrays:
                optimizer.state[parameter] = {
                    "step": torch.tensor(float(arrays[f"count.{name}"][0])),
                    "exp_avg": torch.from_numpy(np.array(arrays[f"first.{name}"])).to(parameter.device),
                    "exp_avg_sq": torch.from_numpy(np.array(arrays[f"second.{name}"])).to(parameter.device),
                }
    return int(arrays["step"][0])


def run(config: TrainingConfig, directory: str | Path, resume: bool = False) -> None:
    """Sample, train with progress on standard error, and write the checkpoint with its model card.

    Raises:
        TrainingError: the directory holds a run and ``resume`` is off, or nothing to train on.
    """
    folder = Path(directory)
    if not resume and (folder.is_file() or (folder.is_dir() and any(folder.iterdir()))):
        raise TrainingError(f"{folder} is not empty; --resume goes on with a run, or choose another directory")
    families = sample_families(config)
    folder.mkdir(parents=True, exist_ok=True)
    with _Progress(config.steps) as progress:
        encoder = train(config, families, folder, resume, progress)
    encoder.save(folder, model_card(config, families, progress.losses))


class _Progress:
    """A bar on a terminal, a line every fiftieth step elsewhere; both on standard error."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        self.losses: list[float] = []
        self._steps, self._console = steps, Console(file=sys.stderr)
        loss = TextColumn("loss {task.fields[loss]:.4f}")
        columns = [TextColumn("pre-training"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), loss]
        self._bar = Progress(*columns, console=self._console, disable=not self._console.is_terminal)
        self._task = self._bar.add_task("", total=steps, loss=math.nan)

    def __enter__(self) -> _Progress:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def __call__(self, step: int, loss: float) -> None:
        self.losses.append(loss)
        recent = float(np.mean(self.losses[-20:]))
        self._bar.update(self._task, completed=step + 1, loss=recent)
        if not self._console.is_terminal and (step + 1) % 50 == 0:
            print(f"step {step + 1} of {self._steps}, loss {recent:.4f}", file=sys.stderr, flush=True)


def model_card(config: TrainingConfig, families: Families, losses: Sequence[float]) -> str:
    """The README of a checkpoint: what it is, what it was trained on, how to train it again."""
    import yaml

    kind = "Path-weighted encoder" if config.encoder == "path" else "Contrastive encoder (k-GNN and Transformer)"
    data = "\n".join(f"| {name} | {len(graphs)} |" for name, graphs in sorted(families.items()))
    settings = yaml.safe_dump(json.loads(json.dumps(asdict(config))), sort_keys=False).strip()
    end = f"{np.mean(losses[-20:]):.4f} over the last steps" if losses else "unchanged"
    return (
        f"# {kind}\n\n"
        f"Vectors for computation graphs, learned without labels by a contrastive loss with {config.positives} soft positives.\n"
        "Licence: Apache-2.0.\n\n"
        f"## Data\n\nUnlabelled graphs sampled from search spaces; no accuracy was seen.\n\n| family | graphs |\n|---|---|\n{data}\n\n"
        f"## Training\n\n{config.steps} steps of {config.batch} graphs; loss {end}. Train it again: put these settings "
        f"into a file and run `cg pretrain FILE -o DIRECTORY`.\n\n```yaml\n{settings}\n```\n"
    )
