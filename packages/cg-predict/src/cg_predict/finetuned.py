"""The paper's recipe and its predecessor, as references (extra ``torch``).

`FineTunedPredictor` is that of Han et al. (SDM 2023, arXiv 2302.10835): an encoder, contrastively pre-trained on unlabelled graphs with
spectral soft positives, and a multilayer perceptron on its readout, trained on labelled source families and fine-tuned on the target's
labels. `KGNNPredictor` is the plain graph network of the same group: six directed graph convolutions of width 32, tanh, mean over nodes,
squared error, without the contrastive stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cg_ir.errors import CgError, MissingExtra
from cg_ir.graph import Graph
from cg_predict.metrics import spearman
from cg_predict.targets import check_labels

try:
    import torch
    from torch import Tensor, nn
    from torch_geometric.nn import GraphConv

    from cg_embed import ContrastiveConfig, ContrastiveEncoder
    from cg_embed.kgnn import GraphBatch, class_means, convolve, graph_batch, n_node_features, prepare_graph
except ImportError:  # pragma: no cover - the tests of this package alone run without torch
    raise MissingExtra("cg-predict", "torch", "the fine-tuned predictor") from None

if TYPE_CHECKING:
    Prepared = tuple[Any, NDArray[Any]]

__all__ = ["FineTunedPredictor", "KGNNPredictor"]

Sources = Mapping[str, tuple[Sequence[Graph], ArrayLike]]


#: Graph convolutions of the plain k-GNN.
_LAYERS = 6


class _PerceptronOnEncoder(nn.Module):
    """The contrastive encoder's readout and a perceptron."""

    def __init__(self, encoder: ContrastiveEncoder) -> None:
        super().__init__()
        self.encoder = encoder.module
        width = len(encoder)
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, batch: GraphBatch) -> Tensor:
        return self.head(self.encoder.readout(batch))[:, 0]


class _KGNN(nn.Module):
    """Graph convolutions along the data flow, tanh, mean over nodes."""

    def __init__(self, width: int = 32, layers: int = _LAYERS) -> None:
        super().__init__()
        self.embed = nn.Linear(n_node_features(False), width)
        self.layers = nn.ModuleList(GraphConv(width, width) for _ in range(layers))
        self.head = nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1))

    def forward(self, batch: GraphBatch) -> Tensor:
        x = convolve(self.layers, self.embed(batch.x), batch)
        return self.head(class_means(x, batch))[:, 0]


class _Network:
    """Training and prediction that both references share."""

    name = ""
    positions = 0

    def __init__(
        self, epochs: int, tuning_epochs: int, batch_size: int, rate: float, tuning_rate: float, seed: int
    ) -> None:
        self.epochs = epochs
        self.tuning_epochs = tuning_epochs
        self.batch_size = batch_size
        self.rate = rate
        self.tuning_rate = tuning_rate
        self.seed = seed
        self.sources: tuple[str, ...] = ()
        self._module: nn.Module | None = None
        self._source_state: dict[str, Tensor] | None = None
        self._mean = self._scale = 0.0

    def _build(self) -> nn.Module:
        raise NotImplementedError

    def _batch(self, prepared: Sequence[Prepared]) -> GraphBatch:
        raise NotImplementedError

    def pretrain(self, sources: Sources) -> Any:
        """Train on labelled families; the target's must not be among them.

        Args:
            sources: graphs and labels by family. Labels are standardised within their family.
        """
        graphs: list[Prepared] = []
        targets: list[float] = []
        for family in sources.values():
            labels = check_labels(family[1], len(family[0]))
            targets += ((labels - labels.mean()) / max(float(labels.std()), 1e-12)).tolist()
            graphs += [prepare_graph(g, self.positions) for g in family[0]]
        if not graphs:
            raise CgError("there is no labelled network to learn from")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self._module = self._build()
            self._train(graphs, targets, self.epochs, self.batch_size, self.rate)
        self._source_state = {k: v.clone() for k, v in self._module.state_dict().items()}
        self.sources = tuple(sources)
        return self

    def fit(self, graphs: Sequence[Graph], y: ArrayLike) -> Any:
        """Fine-tune on labels of the target, from what `pretrain` learned (or from random weights)."""
        labels = check_labels(y, len(graphs))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            if self._module is None:
                self._module = self._build()
            elif self._source_state is not None:
                self._module.load_state_dict(self._source_state)
            targets = ((labels - labels.mean()) / max(float(labels.std()), 1e-12)).tolist()
            prepared = [prepare_graph(g, self.positions) for g in graphs]
            self._train(prepared, targets, self.tuning_epochs, max(1, min(8, len(graphs) // 8)), self.tuning_rate)
        return self

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.float64]:
        """Scores, (n,); this method knows no standard deviation."""
        if self._module is None:
            raise CgError(f"{self.name} needs labels: pretrain on other families or fit first")
        self._module.eval()
        parts = []
        with torch.no_grad():
            for begin in range(0, len(graphs), 128):
                prepared = [prepare_graph(g, self.positions) for g in graphs[begin : begin + 128]]
                parts.append(self._module(self._batch(prepared)).numpy().astype(np.float64))
        return np.concatenate(parts) if parts else np.zeros(0)

    def score(self, graphs: Sequence[Graph], y: ArrayLike) -> float:
        """Spearman's rank correlation of predictions and labels."""
        return spearman(self.predict(graphs), check_labels(y, len(graphs)))

    def _train(
        self, graphs: Sequence[Prepared], targets: Sequence[float], epochs: int, batch_size: int, rate: float
    ) -> None:
        assert self._module is not None
        module = self._module.train()
        optimizer = torch.optim.Adam(module.parameters(), lr=rate)
        y = torch.tensor(targets)
        # Batches are put together once and visited in another order every epoch: joining graphs costs as much as the step.
        order = torch.randperm(len(graphs)).tolist()
        chunks = [order[i : i + batch_size] for i in range(0, len(order), batch_size)]
        batches = [(self._batch([graphs[i] for i in chunk]), y[chunk]) for chunk in chunks]
        for _ in range(epochs):
            for i in torch.randperm(len(batches)).tolist():
                batch, wanted = batches[i]
                loss = nn.functional.mse_loss(module(batch), wanted)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()


class FineTunedPredictor(_Network):
    """The paper's predictor.

    Args:
        encoder: contrastively pre-trained; a randomly initialised one of ``config`` if absent.
        config: shape of a new encoder.
        epochs: on the sources.
        tuning_epochs: on the target's labels.
        batch_size: on the sources.
        rate: of Adam, on the sources.
        tuning_rate: of Adam, on the target.
        seed: of everything random.
    """

    name = "fine-tuned"

    def __init__(
        self,
        encoder: ContrastiveEncoder | None = None,
        *,
        config: ContrastiveConfig | None = None,
        epochs: int = 20,
        tuning_epochs: int = 60,
        batch_size: int = 32,
        rate: float = 1e-3,
        tuning_rate: float = 3e-4,
        seed: int = 0,
    ) -> None:
        super().__init__(epochs, tuning_epochs, batch_size, rate, tuning_rate, seed)
        self.encoder = encoder
        self.config = encoder.config if encoder is not None else config or ContrastiveConfig()
        self.positions = self.config.positions

    def _build(self) -> nn.Module:
        # A copy: fine-tuning must not change the encoder that was handed over.
        fresh = ContrastiveEncoder(self.config)
        if self.encoder is not None:
            fresh.module.load_state_dict(self.encoder.module.state_dict())
        module = _PerceptronOnEncoder(fresh)
        for parameter in module.parameters():
            parameter.requires_grad_(True)
        return module

    def _batch(self, prepared: Sequence[Prepared]) -> GraphBatch:
        return graph_batch(prepared, self.config.rich, self.config.layers, self.config.both_ways)


class KGNNPredictor(_Network):
    """The plain k-GNN: the settings are those of the group's public code.

    Args:
        epochs: on the sources.
        tuning_epochs: on the target's labels.
        batch_size: on the sources.
        rate: of Adam, on the sources.
        tuning_rate: of Adam, on the target.
        seed: of everything random.
    """

    name = "k-GNN"

    def __init__(
        self,
        *,
        epochs: int = 40,
        tuning_epochs: int = 100,
        batch_size: int = 32,
        rate: float = 1e-4,
        tuning_rate: float = 1e-4,
        seed: int = 0,
    ) -> None:
        super().__init__(epochs, tuning_epochs, batch_size, rate, tuning_rate, seed)

    def _build(self) -> nn.Module:
        return _KGNN()

    def _batch(self, prepared: Sequence[Prepared]) -> GraphBatch:
        return graph_batch(prepared, False, _LAYERS)
