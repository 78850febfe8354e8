"""Zero-cost proxies: what one batch at initialisation says about a network, for the graph of any frontend (extra ``torch``).

The definitions are those of Abdelfattah et al. (ICLR 2021, arXiv 2101.08134) for ``synflow`` (Tanaka et al. 2020, without batch
normalisation), ``snip`` (Lee et al. 2019), ``grasp`` (Wang et al. 2020), ``fisher`` (Turner et al. 2020), ``grad_norm`` and ``jacov``
(Mellor et al. 2020); ``naswot`` is of Mellor et al. (ICML 2021), ``zen`` of Lin et al. (ICCV 2021, here on the network's output). Networks
get fresh weights and a batch of normal noise with random labels, all from one seed: no data is needed, at some cost in fidelity to proxies
that were published on real images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import to_module
from cg_ir.errors import CgError, MissingExtra
from cg_ir.graph import Graph

try:
    import torch
    from torch import Tensor, nn
except ImportError:  # pragma: no cover - the tests of this package alone run without torch
    raise MissingExtra("cg-predict", "torch", "zero-cost proxies") from None

#: Elements of a batch of inputs: 32 CIFAR images, 2 of ImageNet's size at least.
_ELEMENTS = 32 * 3 * 32 * 32
_WEIGHTED = (nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.Linear)
_NORMALISATIONS = nn.modules.batchnorm._BatchNorm


class Proxy:
    """A registered scorer for one proxy.

    Args:
        kind: which, see `KINDS`.
        seed: of weights, inputs and labels, the same for every network, so that a score depends on its network alone.
        batch: examples; by default as many as make 32 CIFAR images, from 2 to 32.
    """

    def __init__(self, kind: str, seed: int = 0, batch: int | None = None) -> None:
        if kind not in KINDS:
            raise CgError(f"there is no proxy '{kind}'; there are {', '.join(KINDS)}")
        if batch is not None and batch < 2:
            raise CgError(f"a proxy's batch should be at least 2, not {batch}")
        self.name = self.kind = kind
        self.seed = seed
        self.batch = batch

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> NDArray[np.float64]:
        """Scores, (n,), higher is better; they know no standard deviation. A score that overflows or is undefined is the least finite number."""
        return np.array([self._score(graph) for graph in graphs])

    def _score(self, graph: Graph) -> float:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            network = to_module(graph)
            inputs = _inputs(graph, self.batch)
            value = KINDS[self.kind](network, inputs)
        return value if math.isfinite(value) else -float(np.finfo(np.float64).max)


def _inputs(graph: Graph, batch: int | None) -> list[Tensor]:
    result = []
    for node in graph.nodes:
        if node.op == "Input":
            if not str(node.attrs.get("dtype", "float32")).startswith("float"):
                raise CgError(
                    f"{graph.name or 'the graph'}: proxies need inputs of floating-point numbers, not {node.attrs['dtype']}"
                )
            elements = math.prod(node.shape[1:])
            size = batch or min(32, max(2, _ELEMENTS // max(1, elements)))
            result.append(torch.randn(size, *node.shape[1:]))
    return result


def _output(network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    """The first output, one row an example."""
    out = network(*inputs)
    first = out[0] if isinstance(out, tuple) else out
    return first.flatten(1)


def _loss(network: nn.Module, inputs: Sequence[Tensor]) -> Tensor:
    out = _output(network.train(), inputs)
    labels = torch.randint(out.shape[1], (len(out),))
    return nn.functional.cross_entropy(out, labels)


def _weights(network: nn.Module) -> list[Tensor]:
    return [m.weight for m in network.modules() if isinstance(m, _WEIGHTED)]


def _saliency(weights: Sequence[Tensor], gradients: Sequence[Tensor | None]) -> float:
    """Sum of |weight x gradient|."""
    return sum(float((w * g).detach().abs().sum()) for w, g in zip(weights, gradients, strict=True) if g is not None)


@contextmanager
def _hooked(network: nn.Module, kinds: Any, hook: Callable[[nn.Module, Any, Tensor], Any]) -> Iterator[None]:
    """Modules of some kinds call ``hook`` with themselves, their arguments and their output; what it returns takes the output's place."""
    handles = [m.register_forward_hook(hook) for m in network.modules() if isinstance(m, kinds)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def synflow(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Logarithm of the sum of |weight x gradient| of the network with absolute weights, on an input of ones."""
    network.double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.abs_()
    ones = [torch.ones_like(x[:1], dtype=torch.float64) for x in inputs]
    with _hooked(network, _NORMALISATIONS, lambda _module, args, _out: args[0]):
        out = _output(network.eval(), ones)
    weights = _weights(network)
    total = _saliency(weights, torch.autograd.grad(out.sum(), weights, allow_unused=True))
    return math.log(total) if total > 0 else -math.inf


def snip(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Sum of |weight x gradient of the loss|."""
    weights = _weights(network)
    return _saliency(weights, torch.autograd.grad(_loss(network, inputs), weights, allow_unused=True))


def grad_norm(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Sum over layers of the norm of the gradient of the loss."""
    gradients = torch.autograd.grad(_loss(network, inputs), _weights(network), allow_unused=True)
    return sum(float(g.detach().norm()) for g in gradients if g is not None)


#: Rectifiers are functions in a network module, so they are watched where they are called.
_ACTIVATIONS = {
    torch.relu, torch.Tensor.relu, torch.clamp, nn.functional.relu, nn.functional.relu6, nn.functional.hardswish, nn.functional.silu,
    nn.functional.gelu, nn.functional.elu, nn.functional.leaky_relu,
}  # fmt: skip


class _Watched(torch.overrides.TorchFunctionMode):
    """Shows every activation's output to ``see``."""

    def __init__(self, see: Callable[[Tensor], None]) -> None:
        super().__init__()
        self._see = see

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = function(*args, **(kwargs or {}))
        if function in _ACTIVATIONS and isinstance(out, Tensor):
            self._see(out)
        return out


class _TwiceDifferentiable(torch.overrides.TorchFunctionMode):
    """Hard sigmoids as clipped lines: PyTorch knows no second derivative of its own."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if function is nn.functional.hardsigmoid:
            return torch.clamp(args[0] / 6.0 + 0.5, 0.0, 1.0)
        return function(*args, **(kwargs or {}))


def grasp(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Minus the sum of weight x (Hessian x gradient)."""
    weights = _weights(network)
    with _TwiceDifferentiable():
        loss = _loss(network, inputs)
    gradients = torch.autograd.grad(loss, weights, create_graph=True, allow_unused=True)
    product = sum(((g.detach() * g).sum() for g in gradients if g is not None), torch.zeros(()))
    if not product.requires_grad:
        return 0.0
    second = torch.autograd.grad(product, weights, allow_unused=True)
    return -sum(float((w * h).detach().sum()) for w, h in zip(weights, second, strict=True) if h is not None)


def fisher(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Sum over the channels of every layer of half the mean square of activation x gradient."""
    activations: list[Tensor] = []
    with _hooked(network, _WEIGHTED, lambda _module, _args, out: activations.append(out)):
        loss = _loss(network, inputs)
    gradients = torch.autograd.grad(loss, activations, allow_unused=True)
    total = 0.0
    for activation, gradient in zip(activations, gradients, strict=True):
        if gradient is not None:
            product = (activation * gradient).flatten(2).sum(2) if activation.dim() > 2 else activation * gradient
            total += float(0.5 * product.detach().pow(2).mean(0).sum())
    return total


def jacov(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Minus the Kullback-Leibler-like spread of the spectrum of the correlations between the examples' input gradients."""
    leaves = [x.clone().requires_grad_() for x in inputs]
    out = _output(network.train(), leaves)
    gradients = torch.autograd.grad(out.sum(), leaves)
    rows = torch.cat([g.flatten(1) for g in gradients], dim=1).double()
    correlations = torch.corrcoef(rows.detach())
    if not correlations.isfinite().all():  # an output that does not depend on the input, or overflows
        return math.nan
    values = torch.linalg.eigvalsh(correlations)
    small = 1e-5
    return -float((torch.log(values + small) + 1.0 / (values + small)).sum())


def naswot(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Log determinant of the matrix that counts, for each two examples, the units of all activations that agree in sign."""
    counts = torch.zeros(len(inputs[0]), len(inputs[0]), dtype=torch.float64)

    def add(out: Tensor) -> None:
        if out.dim() > 1 and len(out) == len(counts):
            active = (out.flatten(1) > 0).double()
            counts.add_(active @ active.T + (1.0 - active) @ (1.0 - active).T)

    with torch.no_grad(), _Watched(add):
        network.train()(*inputs)
    sign, value = torch.linalg.slogdet(counts)
    return float(value) if float(sign) > 0 else -math.inf


def zen(network: nn.Module, inputs: Sequence[Tensor]) -> float:
    """Log of the mean change of the output under a small change of the input, plus the logs of the scales that normalisations divided out."""
    scales: list[float] = []

    def scale(_module: nn.Module, args: tuple[Tensor, ...], _out: Tensor) -> None:
        variance = args[0].var(dim=[d for d in range(args[0].dim()) if d != 1], unbiased=False).mean()
        scales.append(0.5 * math.log(float(variance) + 1e-12))

    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _WEIGHTED):
                nn.init.normal_(module.weight)
                if module.bias is not None:
                    nn.init.zeros_(module.bias)
        with _hooked(network.train(), _NORMALISATIONS, scale):
            first = _output(network, inputs)
        second = _output(network, [x + 0.01 * torch.randn_like(x) for x in inputs])
    change = float((first - second).abs().sum(1).mean())
    return math.log(change) + sum(scales) if change > 0 else -math.inf


#: The proxies by name.
KINDS: dict[str, Callable[[nn.Module, Sequence[Tensor]], float]] = {
    f.__name__: f for f in (synflow, jacov, snip, grasp, fisher, grad_norm, naswot, zen)
}
