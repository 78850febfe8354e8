"""Entry-point module of cg-predict in the group ``cg``; it imports nothing heavy."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from cg_ir.calls import unknown_argument
from cg_ir.errors import OptionError
from cg_ir.plugins import LazyCommand, hookimpl

#: How the text of an option (``predictor?seed=3``) is read, by the annotation of its parameter, and what it should be; other texts stay.
_READ: dict[str, tuple[Callable[[str], Any], str]] = {
    "bool": ({"true": True, "false": False}.__getitem__, "true or false"),
    "int": (int, "a whole number"),
    "int | None": (int, "a whole number"),
    "Settings | None": (dict[str, Any]().__getitem__, "given in Python"),
}


class _Lazy:
    """A named scorer whose module is imported when it is made."""

    def __init__(self, name: str, target: str, doc: str, **fixed: Any) -> None:
        self.name = name
        self.__doc__ = doc
        self._target = target
        self._fixed = fixed

    def __call__(self, **options: Any) -> Any:
        module, _, attribute = self._target.partition(":")
        make = getattr(importlib.import_module(module), attribute)
        if unknown := unknown_argument(make, options, self._fixed):
            raise OptionError(f"scorer '{self.name}' does not take these options: {unknown}")
        parameters = inspect.signature(make).parameters
        for name, value in options.items():
            if isinstance(value, str) and parameters[name].annotation in _READ:
                read, wanted = _READ[parameters[name].annotation]
                try:
                    options[name] = read(value)
                except (KeyError, ValueError):
                    raise OptionError(f"{self.name}?{name} should be {wanted}, not {value!r}") from None
        return make(**self._fixed, **options)


_COSTS = {"params": "Parameters.", "macs": "Multiply-accumulates.", "depth": "Operators on the longest path."}
_PROXIES = {
    "synflow": "Synaptic flow: sum of weight times gradient in the linearised network.",
    "jacov": "Correlation of the input gradients of a batch.",
    "snip": "Sum of the absolute sensitivity of the loss to each weight.",
    "grasp": "Change of the gradient norm when weights are removed.",
    "fisher": "Squared sensitivity of the loss to each channel's activation.",
    "grad_norm": "Norm of the gradient of the loss.",
    "naswot": "Log determinant of the agreement of activation patterns over a batch.",
    "zen": "Expressivity: response of the feature map to small input changes.",
}


#: As in `cg_predict.latency_tables`, which this module must not import.
_DEVICES = (
    "i7_12700h", "i9_10940x", "rtx3090", "rtx4090", "rtx5090", "edgegpu", "raspi4", "edgetpu", "pixel3", "eyeriss", "fpga",
)  # fmt: skip


@hookimpl
def cg_scorers() -> Iterable[Any]:
    """The predictor, costs, and zero-cost proxies."""
    return [
        _Lazy(
            "predictor", "cg_predict.predictor:Predictor", "Prior from other families and Gaussian process on labels."
        ),
        *[_Lazy(name, "cg_predict.costs:Cost", doc, kind=name) for name, doc in _COSTS.items()],
        *[_Lazy(name, "cg_predict.proxies:Proxy", doc, kind=name) for name, doc in _PROXIES.items()],
        *[
            _Lazy(
                f"latency@{name}", "cg_predict.latency:LatencyScorer", f"Minus the milliseconds on {name}.", device=name
            )
            for name in _DEVICES
        ],
    ]


@hookimpl
def cg_commands() -> Iterable[LazyCommand]:
    """Ranking, priors, latency, explanations."""
    return [
        LazyCommand("rank", "cg_predict.commands:rank", "Rank networks, with labels or without."),
        LazyCommand("fit", "cg_predict.commands:fit", "Fit a predictor to labels and save it."),
        LazyCommand(
            "fit-prior",
            "cg_predict.prior_commands:fit_prior",
            "Learn what other families teach, from labels of your own.",
        ),
        LazyCommand("latency", "cg_predict.latency_commands:latency", "Predict or measure milliseconds on a device."),
        LazyCommand("explain", "cg_predict.explain_commands:explain", "Say which parts of a network make its score."),
        LazyCommand("improve", "cg_predict.explain_commands:improve", "List the best single changes to a network."),
    ]
