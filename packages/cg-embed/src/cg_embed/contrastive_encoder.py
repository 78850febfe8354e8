"""`ContrastiveEncoder`: the paper's encoder (Han et al., SDM 2023, arXiv 2302.10835) with pre-training, inference and files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from cg_ir.errors import MissingExtra

from .pretrained import Pretrained

if TYPE_CHECKING:
    from .kgnn import GraphEncoder


@dataclass(frozen=True)
class ContrastiveConfig:
    """Shape of the encoder, see `cg_embed.kgnn.GraphEncoder`; ``seed`` draws the initial weights.

    ``both_ways`` and ``rich`` go beyond the paper.
    """

    width: int = 64
    layers: int = 6
    attention_layers: int = 2
    heads: int = 4
    positions: int = 8
    both_ways: bool = False
    rich: bool = False
    projection: int = 64
    seed: int = 0


class ContrastiveEncoder(Pretrained):
    """The paper's encoder: k-GNN and Transformer branches, trained by a contrastive loss with spectral soft positives.

    No trained weights ship: on families left out, they ranked worse than random ones. `pretrain` trains it on graphs of yours.

    Args:
        config: shape and seed.
        weights: as `load` reads them; random ones, drawn from the seed, if absent.

    Raises:
        MissingExtra: torch or torch-geometric is not installed.
    """

    def __init__(
        self, config: ContrastiveConfig | None = None, weights: Mapping[str, NDArray[Any]] | None = None
    ) -> None:
        try:
            import torch

            from .kgnn import GraphEncoder
        except ImportError as error:
            if error.name is None or error.name.split(".")[0] not in ("torch", "torch_geometric"):
                raise
            raise MissingExtra("cg-embed", "torch", "the contrastive encoder") from None
        self.config = config or ContrastiveConfig()
        options = asdict(self.config)
        seed = options.pop("seed")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.module: GraphEncoder = GraphEncoder(**options)
        if weights is not None:
            expected = self.module.state_dict()
            for name, value in expected.items():
                found = tuple(weights[name].shape) if name in weights else "nothing"
                if found != tuple(value.shape):
                    raise ValueError(f"weight {name} should have shape {tuple(value.shape)}, found {found}")
            self.module.load_state_dict({name: torch.from_numpy(np.array(weights[name])) for name in expected})
        self.module.eval()

    def __len__(self) -> int:
        return 2 * self.config.width

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(f"{branch}_{i}" for branch in ("gnn", "attention") for i in range(self.config.width))

    def encode(self, graphs: Sequence[Any], projected: bool = False, batch_size: int = 128) -> NDArray[np.float32]:
        """Vectors of the graphs: float32 (len(graphs), 2 * width), or with ``projected`` what the loss compares, on the unit sphere."""
        return np.concatenate(
            [
                self.encode_prepared(self.prepare(graphs[begin : begin + batch_size]), projected, batch_size)
                for begin in range(0, max(1, len(graphs)), batch_size)
            ]
        )

    def prepare(self, graphs: Sequence[Any]) -> list[Any]:
        """What `encode_prepared` needs of the graphs: the same for all weights, and slower to find than the vectors are."""
        from .kgnn import prepare_graph

        return [prepare_graph(graph, self.config.positions) for graph in graphs]

    def encode_prepared(
        self, prepared: Sequence[Any], projected: bool = False, batch_size: int = 128
    ) -> NDArray[np.float32]:
        """Vectors of graphs that an encoder with as many ``positions`` has prepared; see `encode`."""
        import torch

        from .kgnn import graph_batch

        width = self.config.projection if projected else len(self)
        out = np.zeros((len(prepared), width), dtype=np.float32)
        with torch.no_grad():
            for begin in range(0, len(prepared), batch_size):
                part = prepared[begin : begin + batch_size]
                batch = graph_batch(part, self.config.rich, self.config.layers, self.config.both_ways)
                z = torch.nn.functional.normalize(self.module(batch)) if projected else self.module.readout(batch)
                out[begin : begin + batch_size] = z.numpy()
        return out

    @classmethod
    def pretrain(
        cls, families: Mapping[str, Sequence[Any]], config: ContrastiveConfig | None = None, **options: Any
    ) -> ContrastiveEncoder:
        """Pre-train on unlabelled graphs by family; the options are those of `cg_embed.pretrain.TrainingConfig`."""
        from .pretrain import TrainingConfig, train

        encoder = config or ContrastiveConfig()
        settings = {"encoder": "contrastive", "options": asdict(encoder), "positives": "spectral", **options}
        result = train(TrainingConfig(**settings), {name: list(graphs) for name, graphs in families.items()})
        assert isinstance(result, cls)
        return result

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, directory: str | Path, card: str = "") -> None:
        """Write ``model.safetensors``, ``config.json`` and the model card ``README.md``."""
        from .checkpoint import write_checkpoint

        weights = {name: value.numpy() for name, value in self.module.state_dict().items()}
        write_checkpoint(directory, "contrastive", asdict(self.config), weights, card)

    @classmethod
    def load(cls, directory: str | Path) -> ContrastiveEncoder:
        """Read what `save` wrote."""
        from .checkpoint import CheckpointError, read_checkpoint

        config, weights = read_checkpoint(directory, "contrastive")
        try:
            return cls(ContrastiveConfig(**config), weights)
        except (AssertionError, MemoryError, OverflowError, RuntimeError, TypeError, ValueError) as error:
            raise CheckpointError(f"{directory}: {error}") from None
