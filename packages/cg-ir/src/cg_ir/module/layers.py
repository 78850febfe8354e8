"""Operators that own weights, as standard PyTorch modules."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from cg_ir.errors import GraphError
from cg_ir.module.padding import is_symmetric, pad_zeros
from cg_ir.signature import Signature

__all__ = ["LAYERS", "ComputedConvolution", "Runner", "runner"]

#: Takes a node's module and its inputs, returns its output or outputs.
Runner = Callable[..., Any]


def _call(module: nn.Module, *inputs: Tensor) -> Any:
    return module(*inputs)


def _dims(table: dict[int, type[nn.Module]], rank: int, sig: Signature) -> type[nn.Module]:
    try:
        return table[rank]
    except KeyError:
        raise GraphError(
            f"PyTorch has no {sig.op} for {rank} axes ({', '.join(map(str, sorted(table)))} are possible)"
        ) from None


class ComputedConvolution(nn.Module):
    """A convolution whose weights are an input; it owns at most a bias.

    Args:
        function: PyTorch's convolution.
        channels: output channels, if a bias is added.
        options: stride, padding and the like.
    """

    def __init__(self, function: Callable[..., Tensor], channels: int | None, **options: Any) -> None:
        super().__init__()
        self.function = function
        self.options = options
        self.register_parameter("bias", None if channels is None else nn.Parameter(torch.zeros(channels)))

    def forward(self, x: Tensor, weight: Tensor) -> Tensor:
        """Convolve ``x`` with ``weight``."""
        return self.function(x, weight, self.bias, **self.options)


def _conv(sig: Signature) -> nn.Module:
    a = sig.attrs
    dims = len(a["kernel_shape"])
    if len(sig.input_shapes) > 1:
        return ComputedConvolution(
            (F.conv1d, F.conv2d, F.conv3d)[dims - 1],
            sig.shape[1] if a["bias"] else None,
            stride=a["strides"],
            padding=a["pads"][:dims] if is_symmetric(a["pads"]) else 0,
            dilation=a["dilations"],
            groups=a["group"],
        )
    kind = {1: nn.Conv1d, 2: nn.Conv2d, 3: nn.Conv3d}[dims]
    return kind(
        sig.input_shapes[0][1],
        sig.shape[1],
        a["kernel_shape"],
        a["strides"],
        a["pads"][:dims] if is_symmetric(a["pads"]) else 0,
        a["dilations"],
        a["group"],
        a["bias"],
    )


def _conv_runner(sig: Signature) -> Runner:
    pads = sig.attrs["pads"]
    return _call if is_symmetric(pads) else lambda module, x, *weight: module(pad_zeros(x, pads), *weight)


def _crops(sig: Signature) -> list[int]:
    """What PyTorch's transposed convolution cannot do itself: uneven pads, and an output padding as large as the stride.

    It then runs without both; the pads crop the result, the output padding adds to its ends.
    """
    a = sig.attrs
    dims = len(a["kernel_shape"])
    pads, extra = a["pads"], a["output_padding"]
    fits = all(e < max(s, d) for e, s, d in zip(extra, a["strides"], a["dilations"], strict=True))
    if is_symmetric(pads) and fits:
        return []
    ends = [e - p for e, p in zip(extra, pads[dims:], strict=True)]
    if any(e > 0 for e in ends):
        raise GraphError("PyTorch cannot run a transposed convolution whose output_padding exceeds its stride and pads")
    return [*(-p for p in pads[:dims]), *ends]


def _conv_transpose(sig: Signature) -> nn.Module:
    a = sig.attrs
    dims = len(a["kernel_shape"])
    kind = {1: nn.ConvTranspose1d, 2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}[dims]
    plain = not _crops(sig)
    if len(sig.input_shapes) > 1:
        return ComputedConvolution(
            (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[dims - 1],
            sig.shape[1] if a["bias"] else None,
            stride=a["strides"],
            padding=a["pads"][:dims] if plain else 0,
            output_padding=a["output_padding"] if plain else 0,
            groups=a["group"],
            dilation=a["dilations"],
        )
    return kind(
        sig.input_shapes[0][1],
        sig.shape[1],
        a["kernel_shape"],
        a["strides"],
        a["pads"][:dims] if plain else 0,
        a["output_padding"] if plain else 0,
        a["group"],
        a["bias"],
        a["dilations"],
    )


def _conv_transpose_runner(sig: Signature) -> Runner:
    crops = _crops(sig)
    return (lambda module, x, *weight: pad_zeros(module(x, *weight), crops)) if crops else _call


def _gemm(sig: Signature) -> nn.Module:
    return nn.Linear(sig.input_shapes[0][-1], sig.shape[-1], bias=sig.attrs["bias"])


class _Experts(nn.Module):
    """One matrix (out, in) an expert."""

    def __init__(self, experts: int, inside: int, outside: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(experts, outside, inside))
        nn.init.uniform_(self.weight, -(inside**-0.5), inside**-0.5)

    def forward(self, x: Tensor, ids: Tensor) -> Tensor:
        matrices = self.weight[ids if ids.dtype in (torch.int32, torch.int64) else ids.long()]
        return torch.matmul(matrices, x.unsqueeze(-1)).squeeze(-1)


def _expert_gemm(sig: Signature) -> nn.Module:
    return _Experts(sig.attrs["num_experts"], sig.input_shapes[0][-1], sig.shape[-1])


def _embedding(sig: Signature) -> nn.Module:
    return nn.Embedding(sig.attrs["num_embeddings"], sig.shape[-1])


def _run_embedding(module: nn.Module, x: Tensor) -> Tensor:
    result: Tensor = module(x if x.dtype in (torch.int32, torch.int64) else x.long())
    return result


def _batch_norm(sig: Signature) -> nn.Module:
    kinds = {2: nn.BatchNorm1d, 3: nn.BatchNorm1d, 4: nn.BatchNorm2d, 5: nn.BatchNorm3d}
    kind = _dims(kinds, len(sig.shape), sig)
    return kind(sig.shape[1], eps=sig.attrs["epsilon"], affine=sig.attrs["affine"])


def _instance_norm(sig: Signature) -> nn.Module:
    kinds = {3: nn.InstanceNorm1d, 4: nn.InstanceNorm2d, 5: nn.InstanceNorm3d}
    kind = _dims(kinds, len(sig.shape), sig)
    return kind(sig.shape[1], eps=sig.attrs["epsilon"], affine=sig.attrs["affine"])


def _group_norm(sig: Signature) -> nn.Module:
    a = sig.attrs
    return nn.GroupNorm(a["num_groups"], sig.shape[1], eps=a["epsilon"], affine=a["affine"])


def _layer_norm(sig: Signature) -> nn.Module:
    a = sig.attrs
    shape = list(sig.shape[a["axis"] :])
    return nn.LayerNorm(shape, eps=a["epsilon"], elementwise_affine=a["affine"], bias=a["bias"])


def _rms_norm(sig: Signature) -> nn.Module:
    a = sig.attrs
    return nn.RMSNorm(list(sig.shape[a["axis"] :]), eps=a["epsilon"], elementwise_affine=a["affine"])


def _prelu(sig: Signature) -> nn.Module:
    return nn.PReLU(sig.attrs["num_parameters"])


def _recurrent(sig: Signature) -> nn.Module:
    a = sig.attrs
    kinds: dict[str, type[nn.Module]] = {"LSTM": nn.LSTM, "GRU": nn.GRU, "RNN": nn.RNN}
    options = {key: a[key] for key in ("num_layers", "bias", "batch_first", "bidirectional")}
    for key in ("proj_size", "nonlinearity"):
        if key in a:
            options[key] = a[key]
    return kinds[sig.op](sig.input_shapes[0][-1], a["hidden_size"], **options)


def _run_recurrent(module: nn.Module, x: Tensor, *states: Tensor) -> tuple[Tensor, ...]:
    start = states if len(states) > 1 else states[0] if states else None
    sequence, final = module(x) if start is None else module(x, start)
    return (sequence, *(final if isinstance(final, tuple) else (final,)))


#: Makes the module of a node.
LAYERS: dict[str, Callable[[Signature], nn.Module]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "ExpertGemm": _expert_gemm,
    "Embedding": _embedding,
    "BatchNormalization": _batch_norm,
    "InstanceNormalization": _instance_norm,
    "GroupNormalization": _group_norm,
    "LayerNormalization": _layer_norm,
    "RMSNormalization": _rms_norm,
    "PRelu": _prelu,
    "LSTM": _recurrent,
    "GRU": _recurrent,
    "RNN": _recurrent,
}

_RUNNERS: dict[str, Callable[[Signature], Runner]] = {
    "Conv": _conv_runner,
    "ConvTranspose": _conv_transpose_runner,
    "Embedding": lambda sig: _run_embedding,
    **dict.fromkeys(("LSTM", "GRU", "RNN"), lambda sig: _run_recurrent),
}


def runner(sig: Signature) -> Runner:
    """The function that runs a node, given its module and its inputs."""
    make = _RUNNERS.get(sig.op)
    return _call if make is None else make(sig)
