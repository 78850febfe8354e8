"""Real training of a network."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING

from cg_evolve.errors import SearchError
from cg_evolve.evaluators.datasets import Images, load_images
from cg_evolve.evaluators.function import best_device
from cg_evolve.evaluators.resolution import at_resolution
from cg_evolve.steps import Enough, Progress
from cg_ir import GraphError
from cg_ir.errors import MissingExtra

if TYPE_CHECKING:
    from cg_evolve.evaluators.training import Training
    from cg_ir.graph import Graph

__all__ = ["TrainEvaluator"]

_STATE = "state.npz"


class TrainEvaluator:
    """Trains ``cg_ir.to_module(graph)`` and measures its accuracy.

    Stochastic gradient descent with momentum under a cosine schedule after a short warm-up, on shifted and (natural images) mirrored copies. The metrics
    are ``accuracy`` on the validation part, ``test_accuracy``, ``train_loss`` of the last epoch and ``diverged``, 1 where the loss became no
    number or many times what it was at first: such a run ends at once. The same seed gives the same result on the same machine. A step of a search with
    ``--steps`` is an epoch, and a training goes on from its state.

    Args:
        target: the data set, see :func:`cg_evolve.evaluators.datasets.load_images`.
        epochs: passes over the training images.
        batch: images in a step.
        lr: greatest learning rate.
        train: how many training images; all by default.
        resolution: side to which images are scaled; that of the network by default, for
            digits their own 8 where the network takes it.
        device: where to train; the best that is there by default.
        threads: of the CPU. It is part of the configuration, as results of other numbers differ in the last bits.
    """

    name = "train"
    keeps_state = True
    #: The loss tells sooner than the accuracy, which rests on few images, how a training will end.
    compare = "train_loss:min"

    def __init__(
        self,
        target: str,
        epochs: str | int = 8,
        batch: str | int = 32,
        lr: str | float = 0.1,
        train: str | int = 0,
        resolution: str | int = 0,
        device: str = "",
        threads: str | int = 1,
    ) -> None:
        try:
            import torch  # noqa: F401
        except ImportError:
            raise MissingExtra("cg-evolve", "train", "training") from None
        try:
            self.epochs, self.batch, self.lr = int(epochs), int(batch), float(lr)
            self.resolution, self.threads, count = int(resolution), int(threads), int(train)
        except ValueError as error:
            raise SearchError(f"options of the evaluator 'train' should be numbers: {error}") from None
        if min(self.epochs, self.batch, self.threads) < 1 or not 0 < self.lr < math.inf or self.resolution < 0:
            raise SearchError("epochs, batch, threads and lr of the evaluator 'train' should be positive")
        self.small = target == "digits"
        self.device = device
        images = load_images(target, self.resolution or None)
        self.images: Images = images.subset(count) if count else images

    def evaluate(self, arch: str, graph: Graph, seed: int, progress: Progress | None = None) -> dict[str, float]:
        """Train from the weights of ``seed``, or from what an earlier part of this training has left.

        Raises:
            SearchError: the network takes no image or gives too few classes.
        """
        import torch

        from cg_evolve.evaluators.training import Training

        graph = self._sized(graph, self._input(graph))
        before = torch.get_num_threads()
        torch.set_num_threads(self.threads)
        try:
            training = Training(
                graph,
                self.images,
                epochs=self.epochs,
                batch=self.batch,
                lr=self.lr,
                device=self.device or best_device(),
                seed=seed,
            )
            if progress is not None and progress.stop is not None:
                return self._in_steps(training, progress)
            while training.epoch < self.epochs and not training.diverged:
                training.advance()
            return training.metrics()
        finally:
            torch.set_num_threads(before)

    def _in_steps(self, training: Training, progress: Progress) -> dict[str, float]:
        """Train to the step at which to stop, and measure there."""
        progress.begin(keeps_state=True)
        if progress.start:
            training.load(progress.work / _STATE)
        with contextlib.suppress(Enough):
            while not progress.done and training.epoch < self.epochs:
                training.advance()
                if progress.folder is not None:
                    training.save(progress.work / _STATE)
                progress.report(training.epoch, {"train_loss": training.loss})
        return training.metrics()

    def _input(self, graph: Graph) -> tuple[int, ...]:
        inputs = [node.shape for node in graph.nodes if node.op == "Input"]
        outputs = [node.shape for node in graph.nodes if node.op == "Output"]
        if len(inputs) != 1 or len(inputs[0]) != 4:
            raise SearchError(f"training needs a network with one image as its input, not {[list(s) for s in inputs]}")
        if len(outputs[0]) != 2 or outputs[0][1] < self.images.classes:
            raise SearchError(f"the data has {self.images.classes} classes, the network's output is {list(outputs[0])}")
        return inputs[0]

    def _sized(self, graph: Graph, shape: tuple[int, ...]) -> Graph:
        """The network at the resolution that is trained."""
        own = shape[2:]
        if self.resolution:
            try:
                return at_resolution(graph, self.resolution, self.resolution)
            except GraphError as error:
                side = self.resolution
                raise SearchError(f"the network does not take images of {side} x {side}: {error}") from None
        native = self.images.train.shape[2:]
        if self.small and min(own) > max(native):
            with contextlib.suppress(GraphError):
                return at_resolution(graph, *native)
        return graph
