"""The paper's recipe and its predecessor, as references (extra ``torch``).

`FineTunedPredictor` is that of Han et al. (SDM 2023, arXiv 2302.10835): an encoder, contrastively pre-trained on unlabelled graphs with
spectral soft positives, and a multilayer perceptron on its readout, trained on labelled source families and fine-tuned on the target's
labels. `KGNNPredictor` is the plain graph network of the same group: six directed graph convolutions of width 32, tanh, mean over nodes,
squared error, without the contrastive stage."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cg_ir.errors import CgError, MissingExtra, NotFitted
from cg_ir.graph import Graph
from cg_predict.metrics import spearman
from cg_predict.readout_process import ReadoutProcess
from cg_predict.targets import check_graphs, check_labels, normal_scores

try:
    import torch
    from torch import Tensor, nn
    from torch_geometric.nn import GraphConv

    from cg_embed import ContrastiveConfig, ContrastiveEncoder
    from cg_embed.kgnn import GraphBatch, class_means, convolve, flip_signs, graph_batch, n_node_features, prepare_graph
except ImportError:  # pragma: no cover - the tests of this package alone run without torch
    raise MissingExtra("cg-predict", "torch", "the fine-tuned predictor") from None

if TYPE_CHECKING:
    Prepared = tuple[Any, NDArray[Any]]
    Batch = tuple[GraphBatch, Tensor]
    Scale = tuple[Tensor, Tensor]

Sources = Mapping[str, tuple[Sequence[Graph], ArrayLike]]


#: Graph convolutions of the plain k-GNN.
_LAYERS = 6
#: Families that a step of training on sources sees.
FAMILIES_A_STEP = 5
#: Networks in a batch of fine-tuning, and into how many random sets of batches the labels are split.
TUNING_BATCH, PARTITIONS = 25, 4


def squared_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error, (n,) and (n,) to a scalar."""
    return nn.functional.mse_loss(found, wanted)


def ranking_loss(found: Tensor, wanted: Tensor) -> Tensor:
    """1 - Pearson's correlation, which asks of normal scores for their order alone, plus half the squared error, which fixes the scale.

    With fewer than three networks, the squared error alone.
    """
    if len(wanted) < 3:
        return squared_loss(found, wanted)
    a, b = found - found.mean(), wanted - wanted.mean()
    return 1 - (a * b).sum() / (a.norm() * b.norm() + 1e-8) + squared_loss(found, wanted) / 2


#: What the target's labels train: encoder and perceptron, a Gaussian process on the readout of the encoder as the sources left it, or both.
TUNINGS = ("all", "process", "both")
LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"ranking": ranking_loss, "squared": squared_loss}


class _Scorer(nn.Module, ABC):
    """A readout, standardised, and a perceptron on it.

    Args:
        width: of the readout.
        messages: how many of its columns, the first ones, come from message passing.
    """

    def __init__(self, width: int, messages: int) -> None:
        super().__init__()
        self.messages = messages
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    @abstractmethod
    def readout(self, batch: GraphBatch) -> Tensor:
        """A vector for every graph, (G, width)."""

    def score(self, readout: Tensor, scale: Scale) -> Tensor:
        """Scores of readouts (G, width), (G,)."""
        centre, spread = scale
        return self.head((readout - centre) / spread)[:, 0]

    def forward(self, batch: GraphBatch) -> Tensor:
        """Scores of networks of one family that are compared with each other, (G,)."""
        readout = self.readout(batch)
        return self.score(readout, scale_of(readout))


def scale_of(readout: Tensor) -> Scale:
    """Mean and standard deviation of every column, (width,) each; columns that hardly vary are not blown up (`BatchNorm1d`)."""
    return readout.mean(dim=0), (readout.var(dim=0, unbiased=False) + 1e-5).sqrt()


class _PerceptronOnEncoder(_Scorer):
    """The contrastive encoder's readout and a perceptron."""

    def __init__(self, encoder: ContrastiveEncoder) -> None:
        super().__init__(len(encoder), encoder.config.width)
        self.encoder = encoder.module

    def readout(self, batch: GraphBatch) -> Tensor:
        return self.encoder.readout(batch)


class _KGNN(_Scorer):
    """Graph convolutions along the data flow, tanh, mean over nodes."""

    def __init__(self, width: int = 32, layers: int = _LAYERS) -> None:
        super().__init__(width, width)
        self.embed = nn.Linear(n_node_features(False), width)
        self.layers = nn.ModuleList(GraphConv(width, width) for _ in range(layers))

    def readout(self, batch: GraphBatch) -> Tensor:
        return class_means(convolve(self.layers, self.embed(batch.x), batch), batch)


class _Network(ABC):
    """Training and prediction that both references share."""

    name = ""
    positions = 0

    def __init__(
        self,
        *,
        epochs: int = 5,
        tuning: str = "all",
        tuning_epochs: int = 120,
        batch_size: int = 48,
        rate: float = 1e-3,
        tuning_rate: float = 1e-3,
        loss: str = "ranking",
        seed: int = 0,
    ) -> None:
        for name, value, known in (("loss", loss, LOSSES), ("tuning", tuning, TUNINGS)):
            if value not in known:
                raise CgError(f"{name} should be one of {', '.join(known)}, not {value!r}")
        self.tuning = tuning
        self.epochs = epochs
        self.tuning_epochs = tuning_epochs
        self.batch_size = batch_size
        self.rate = rate
        self.tuning_rate = tuning_rate
        self.loss = loss
        self.seed = seed
        self.sources: tuple[str, ...] = ()
        self._module: _Scorer | None = None
        self._scale: Scale | None = None
        self._process: tuple[ReadoutProcess, _Scorer] | None = None
        self._source_state: dict[str, Tensor] | None = None

    @abstractmethod
    def _build(self) -> _Scorer: ...

    @abstractmethod
    def _batch(self, prepared: Sequence[Prepared]) -> GraphBatch: ...

    def pretrain(self, sources: Sources) -> Any:
        """Train on labelled families; the target's must not be among them.

        Every step sees one batch of each of some families (`FAMILIES_A_STEP`), each compared within itself.

        Args:
            sources: graphs and labels by family. Labels become normal scores within their family.

        Raises:
            CgError: no family has a network.
        """
        families = []
        for graphs, labels in sources.values():
            targets = normal_scores(check_labels(labels, len(graphs)))
            families.append(([prepare_graph(g, self.positions) for g in graphs], targets))
        if not any(len(graphs) for graphs, _ in families):
            raise CgError("there is no labelled network to learn from")
        with self._random():
            self._module = self._build()
            batches = [self._batches(graphs, y, self.batch_size, 1) for graphs, y in families]
            steps = self.epochs * max(1, sum(map(len, batches)) // FAMILIES_A_STEP)
            self._train(self._module, batches, steps, self.rate)
        self._scale = self._process = None
        self._source_state = {k: v.clone() for k, v in self._module.state_dict().items()}
        self.sources = tuple(sources)
        return self

    def fit(self, graphs: Sequence[Graph], y: ArrayLike, pool: Sequence[Graph] | None = None) -> Any:
        """Learn labels of the target, from what `pretrain` learned (or from initial weights).

        Args:
            graphs: labelled networks.
            y: their labels, (n,).
            pool: networks of the target's family over which a process standardises readouts; the labelled ones if absent.
        """
        graphs = check_graphs(graphs)
        targets = normal_scores(check_labels(y, len(graphs)))
        self._process = None
        if self.tuning != "all":
            with self._random():
                self._module = self._from_sources()
            around = self._readouts(graphs if pool is None else check_graphs(pool)).numpy()
            process = ReadoutProcess(around, self._module.messages, self.seed)
            self._process = (process.fit(self._readouts(graphs).numpy(), targets), self._module)
        if self.tuning == "process":
            return self
        prepared = [prepare_graph(g, self.positions) for g in graphs]
        size = max(2, min(TUNING_BATCH, -(-len(graphs) // 2)))
        with self._random():
            self._module = self._from_sources()
            batches = self._batches(prepared, targets, size, PARTITIONS)
            steps = self.tuning_epochs * max(1, len(batches) // PARTITIONS)
            self._train(self._module, [batches], steps, self.tuning_rate)
        self._scale = scale_of(self._readouts(graphs))
        return self

    def _from_sources(self) -> _Scorer:
        """The module that the sources have trained, or a new one."""
        module = self._build()
        if self._source_state is not None:
            module.load_state_dict(self._source_state)
        return module

    def predict(
        self, graphs: Sequence[Graph], return_std: bool = False, pool: Sequence[Graph] | None = None
    ) -> NDArray[np.float64]:
        """Scores, (n,); this method knows no standard deviation.

        Args:
            graphs: to score.
            return_std: ignored.
            pool: networks of the target's family over which the encoder's readout is standardised. If absent, those of `fit`, or, without labels, ``graphs``.
                A process keeps to those of `fit`.
        """
        trained = self._trained
        if not len(graphs):
            return np.zeros(0)
        told = None
        if self._process is not None:
            process, module = self._process
            told = process.predict(self._readouts(graphs, module).numpy())
            if self.tuning == "process":
                return told
        readout = self._readouts(graphs)
        if pool is not None:
            scale = scale_of(readout if pool is graphs else self._readouts(pool))
        else:
            scale = self._scale or scale_of(readout)
        with torch.no_grad():
            score = trained.score(readout, scale).numpy().astype(np.float64)
        return score if told is None else (score + told) / 2

    def readouts(self, graphs: Sequence[Graph]) -> NDArray[np.float32]:
        """The readout that the present weights give, (n, width): the message-passing branch, then attention where there is one.

        Raises:
            NotFitted: neither `pretrain` nor `fit` was called.
        """
        found: NDArray[np.float32] = self._readouts(check_graphs(graphs)).numpy()
        return found

    @property
    def _trained(self) -> _Scorer:
        if self._module is None:
            raise NotFitted(f"{self.name} needs labels: pretrain on other families or fit first")
        return self._module

    def _readouts(self, graphs: Sequence[Graph], module: _Scorer | None = None) -> Tensor:
        """The encoder's readout, (n, width), that of the present module unless said otherwise."""
        module = (module or self._trained).eval()
        parts = []
        with torch.no_grad():
            for begin in range(0, len(graphs), 128):
                prepared = [prepare_graph(g, self.positions) for g in graphs[begin : begin + 128]]
                parts.append(module.readout(self._batch(prepared)))
        return torch.cat(parts)

    def score(self, graphs: Sequence[Graph], y: ArrayLike) -> float:
        """Spearman's rank correlation of predictions and labels."""
        return spearman(self.predict(graphs), check_labels(y, len(graphs)))

    @contextmanager
    def _random(self) -> Iterator[None]:
        """Torch's random numbers are the seed's."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            yield

    def _batches(self, graphs: Sequence[Prepared], y: NDArray[Any], size: int, partitions: int) -> list[Batch]:
        """Random batches; put together once, because joining graphs costs as much as the step."""
        targets = torch.from_numpy(y.astype(np.float32))
        result = []
        for _ in range(partitions):
            order = torch.randperm(len(graphs)).tolist()
            chunks = [order[i : i + size] for i in range(0, len(order), size)]
            result += [(self._batch([graphs[i] for i in chunk]), targets[chunk]) for chunk in chunks]
        return result

    def _train(self, module: nn.Module, families: Sequence[Sequence[Batch]], steps: int, rate: float) -> None:
        """Steps of Adam along a cosine schedule; positions have random signs each time."""
        families = [batches for batches in families if batches]
        optimizer = torch.optim.Adam(module.parameters(), lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
        module.train()
        for _ in range(steps):
            chosen = torch.randperm(len(families))[:FAMILIES_A_STEP].tolist()
            terms = []
            for family in chosen:
                batch, wanted = families[family][int(torch.randint(len(families[family]), ()))]
                if self.positions:
                    batch = flip_signs(batch)
                terms.append(LOSSES[self.loss](module(batch), wanted))
            optimizer.zero_grad()
            torch.stack(terms).mean().backward()
            nn.utils.clip_grad_norm_(module.parameters(), 1.0)
            optimizer.step()
            schedule.step()


class FineTunedPredictor(_Network):
    """The paper's predictor.

    Its form is the paper's: k-GNN and Transformer branches over operator features and Laplacian positions, means over operators, a perceptron that is
    trained on source families and tuned, with the encoder, on the target's labels. The paper leaves open, and this class chooses:

    - the scale of the readout: each column is standardised over the batch, and over the pool or the labelled networks when scoring. Networks of a family share
      most of their operators, so their means over operators lie close together, and a perceptron on raw means needs more steps than 50 labels bear;
    - the signs of the eigenvectors: random in every step of training (`cg_embed.kgnn.flip_signs`). With fixed signs, attention
      learns a few dozen networks by their positions, and ranks others worse;
    - targets: normal scores of the ranks within a family, rather than accuracies;
    - the loss: one minus the correlation of scores and targets in a batch, plus half their squared error (``loss="ranking"``), or the
      latter alone (``"squared"``);
    - batches: a step takes one batch of each of several families, and compares each within itself;
    - rates and lengths of both stages: Adam along a cosine schedule to 0, gradients clipped to norm 1.

    Args:
        encoder: contrastively pre-trained; a randomly initialised one of ``config`` if absent.
        config: shape of a new encoder.
        training: as for `KGNNPredictor`.
    """

    name = "fine-tuned"

    def __init__(
        self, encoder: ContrastiveEncoder | None = None, *, config: ContrastiveConfig | None = None, **training: Any
    ) -> None:
        super().__init__(**training)
        self.encoder = encoder
        self.config = encoder.config if encoder is not None else config or ContrastiveConfig()
        self.positions = self.config.positions

    def _build(self) -> _Scorer:
        # A copy: fine-tuning must not change the encoder that was handed over.
        fresh = ContrastiveEncoder(self.config)
        if self.encoder is not None:
            fresh.module.load_state_dict(self.encoder.module.state_dict())
        return _PerceptronOnEncoder(fresh).requires_grad_(True)

    def _batch(self, prepared: Sequence[Prepared]) -> GraphBatch:
        return graph_batch(prepared, self.config.rich, self.config.layers, self.config.both_ways)


class KGNNPredictor(_Network):
    """The plain k-GNN in the form of the group's public code, with targets, loss and batches as in `FineTunedPredictor`.

    The rates and losses of that code (Adam at 1e-4, squared error) leave it undertrained on 50 labels.

    Args:
        epochs: on the sources; more make it forget what families share.
        tuning: ``all``, as in the paper; ``process``, a Gaussian process on the readout of the encoder that the sources have trained
            (`cg_predict.readout_process`), which needs no gradient; or ``both``, their mean.
        tuning_epochs: of ``all`` and ``both``, on the target's labels.
        batch_size: on the sources.
        rate: of Adam, on the sources.
        tuning_rate: of Adam, on the target.
        loss: ``ranking`` or ``squared``.
        seed: of everything random.
    """

    name = "k-GNN"

    def _build(self) -> _Scorer:
        return _KGNN()

    def _batch(self, prepared: Sequence[Prepared]) -> GraphBatch:
        return graph_batch(prepared, False, _LAYERS)
