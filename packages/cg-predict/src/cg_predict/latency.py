"""Latency of networks on machines: of those that were measured before, and of any other from a few measurements.

`LatencyPredictor` computes a roofline over the graph and corrects it by what was learned from measurements (`cg_predict.device_model`); nothing is run and
torch is not imported. `fit` turns a handful of one's own measurements into a predictor of one's own machine (`cg_predict.device_transfer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cg_embed.checkpoint import CheckpointError, read_checkpoint, write_checkpoint
from cg_embed.pretrained import Pretrained
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.calibration import NINE_OF_TEN
from cg_predict.device_model import DeviceModel
from cg_predict.device_transfer import DeviceTransfer, most_telling
from cg_predict.estimator import Estimator
from cg_predict.latency_tables import DEVICES, Device
from cg_predict.roofline import IDEAL, ideal, roofline
from cg_predict.targets import check_graphs, check_labels
from cg_predict.threads import single_threaded

Floats = NDArray[np.float64]
#: Logarithms of milliseconds that any machine and network have.
_LARGEST_LOG = 100.0
_DEVICES = {device.name: device for device in DEVICES}


def shipped_directory() -> Path:
    """The folder of the device models that ship with the package."""
    return Path(__file__).parent / "checkpoints" / "latency"


@lru_cache(maxsize=2)
def known_devices(directory: str | None = None) -> dict[str, DeviceModel]:
    """The models of a checkpoint of `cg_predict.train_latency`, by device; the shipped one by default."""
    config, arrays = read_checkpoint(directory or shipped_directory(), "latency")
    return {
        name: DeviceModel.from_arrays(
            {key.removeprefix(f"{name}/"): value for key, value in arrays.items() if key.startswith(f"{name}/")}
        )
        for name in config["devices"]
    }


class LatencyPredictor(Pretrained, Estimator):
    """Milliseconds of a forward pass on one machine.

    Args:
        device: one of `devices`, or any name for a machine of one's own, which `fit` then makes known.
        exclude: tables (``timm``, ``nb201``) and devices that must not have been learned from.
        batch: examples that run together; the device's own by default.

    Attributes:
        devices: machines that are known without measurements.

    Example:
        >>> predictor = LatencyPredictor("rtx4090")                      # doctest: +SKIP
        >>> predictor.predict(graphs)                                    # doctest: +SKIP
        >>> mine = LatencyPredictor("my phone").fit(measured, ms)        # doctest: +SKIP
        >>> ms, low, high = mine.predict(graphs, return_interval=True)   # doctest: +SKIP
    """

    def __init__(self, device: str = "i9_10940x", exclude: Sequence[str] = (), *, batch: int | None = None) -> None:
        self.device = device
        self.exclude = exclude
        self.batch = batch

    # --- what is known ------------------------------------------------------------------------------------------------

    @property
    def devices(self) -> tuple[str, ...]:
        """Machines that are known without measurements."""
        excluded = (self.exclude,) if isinstance(self.exclude, str) else tuple(self.exclude)
        return tuple(d.name for d in DEVICES if not {d.name, d.table} & set(excluded) and d.name in known_devices())

    @property
    def conditions(self) -> str:
        """The machine in words, and how it was measured."""
        if hasattr(self, "_transfer"):
            return f"{self.device}, from {self.measured_} measurements"
        known = self._known()
        return f"{known.title}, batch {self.batch or known.batch}"

    def _known(self) -> Device:
        """The device among those that are known.

        Raises:
            CgError: it is not, or not at this batch.
        """
        if self.device not in self.devices:
            raise CgError(
                f"nothing is known of the device '{self.device}': fit it to measurements (cg latency --measure), or choose from "
                + (", ".join(self.devices) or "none")
            )
        found = _DEVICES[self.device]
        if self.batch is not None and not found.smallest <= self.batch <= found.largest:
            sizes = "1" if found.largest == 1 else f"{found.smallest} to {found.largest}"
            raise CgError(f"'{self.device}' was measured at batch {sizes}, not {self.batch}")
        return found

    def _columns(self, graphs: Sequence[Graph]) -> Floats:
        """Of the roofline at the batch, for one example."""
        known = self._known()
        size = self.batch or known.batch
        return roofline(graphs, size) / size

    def _others(self, graphs: Sequence[Graph]) -> Floats:
        """Logarithms of what every known machine needs, and then the ideal ones, (n, columns)."""
        names = self.devices
        if not names:
            raise CgError("no known device is left to start from; exclude less")
        known = [_DEVICES[name] for name in names]
        columns = {size: roofline(graphs, size) / size for size in {1, *(d.batch for d in known)}}
        told = [np.log(known_devices()[d.name].predict(columns[d.batch])) for d in known]
        return np.concatenate([np.stack(told, axis=1), ideal(columns[1])], axis=1)

    # --- scikit-learn -------------------------------------------------------------------------------------------------

    @single_threaded
    def fit(self, graphs: Sequence[Graph], ms: ArrayLike) -> LatencyPredictor:
        """Learn from measurements on the device; known machines are what it starts from.

        Args:
            graphs: measured networks.
            ms: milliseconds of each, all at one batch size, precision and runtime: predictions are for these.

        Raises:
            LabelError: text, NaN or infinity, a wrong number of labels, none; CgError: a time that is not positive.
        """
        graphs = check_graphs(graphs)
        values = check_labels(ms, len(graphs))
        if (values <= 0).any():
            raise CgError(f"a latency should be positive, not {values.min():g}")
        self._others_measured, self._log_measured = self._others(graphs), np.log(values)
        self._transfer = DeviceTransfer(self._others_measured, self._log_measured, len(IDEAL))
        self.measured_ = len(values)
        return self

    @single_threaded
    def predict(self, graphs: Sequence[Graph], return_interval: bool = False) -> Any:
        """Milliseconds an example, (n,); with ``return_interval`` also the ends of the interval that holds nine of ten, (n,) each.

        Of a known device an example is one of a batch: the time of the batch over its size. After `fit` it is what was measured.

        Raises:
            CgError: nothing is known of the device, or not at this batch.
        """
        graphs = list(graphs)
        if not graphs:
            return (np.zeros(0), np.zeros(0), np.zeros(0)) if return_interval else np.zeros(0)
        if hasattr(self, "_transfer"):
            mean, deviation = self._transfer.predict(self._others(graphs))
            half = NINE_OF_TEN * deviation
        else:
            columns, model = self._columns(graphs), known_devices()[self.device]
            mean, half = np.log(model.predict(columns)), model.half_width(columns)
        ms = np.exp(mean)
        return (ms, np.exp(mean - half), np.exp(mean + half)) if return_interval else ms

    def beyond(self, graphs: Sequence[Graph]) -> Floats:
        """How far networks lie outside those that were measured on a known device, (n,), in e-folds of MACs, traffic, weights and launches."""
        return known_devices()[self.device].beyond(self._columns(list(graphs)))

    def score(self, graphs: Sequence[Graph], ms: ArrayLike) -> float:
        """Minus the median relative error."""
        values = check_labels(ms, len(graphs))
        return -float(np.median(np.abs(self.predict(graphs) / values - 1)))

    @single_threaded
    def suggest(self, graphs: Sequence[Graph], k: int) -> list[int]:
        """Which networks to measure next, most telling first: those that make the latencies of all of them most certain, given the ones before.

        Raises:
            CgError: there are fewer than ``k`` networks.
        """
        graphs = list(graphs)
        if not 0 < k <= len(graphs):
            raise CgError(f"suggest can choose between 1 and {len(graphs)} of these networks, not {k}")
        others = self._others(graphs)
        return self._transfer.suggest(others, k) if hasattr(self, "_transfer") else most_telling(others, k)

    # --- files --------------------------------------------------------------------------------------------------------

    def save(self, directory: str | Path) -> None:
        """Write a fitted predictor.

        Raises:
            CgError: it was not fitted.
        """
        if not hasattr(self, "_transfer"):
            raise CgError("there is nothing to save before fit: the known devices ship with the package")
        settings = {"device": self.device, "exclude": list(self.exclude), "batch": self.batch}
        config = {**settings, "devices": list(self.devices), "scorer": "latency"}
        arrays = {"others": self._others_measured, "log_ms": self._log_measured}
        write_checkpoint(directory, "latency of a device", config, arrays)

    @classmethod
    def load(cls, directory: str | Path) -> LatencyPredictor:
        """Read what `save` wrote.

        Raises:
            CheckpointError: it cannot be read; CgError: this release knows other devices.
        """
        config, arrays = read_checkpoint(directory, "latency of a device")
        settings: dict[str, Any] = {name: config.get(name) for name in ("device", "exclude", "batch")}
        others, log_ms = arrays.get("others", np.zeros(0)), arrays.get("log_ms", np.zeros(0))
        if not _settings_fit(**settings) or not _measurements_fit(others, log_ms):
            raise CheckpointError(f"{directory} is no saved latency predictor: its settings or measurements are none")
        result = cls(settings["device"], tuple(settings["exclude"]), batch=settings["batch"])
        if list(result.devices) != config.get("devices") or others.shape[1] != len(result.devices) + len(IDEAL):
            raise CgError(f"{directory} starts from other known devices than this release has; fit it again")
        result._others_measured, result._log_measured = others, log_ms
        result._transfer = DeviceTransfer(others, log_ms, len(IDEAL))
        result.measured_ = len(log_ms)
        return result


def _settings_fit(device: Any, exclude: Any, batch: Any) -> bool:
    """Whether settings that were read are of their types."""
    return (
        type(device) is str
        and type(exclude) is list
        and all(type(name) is str for name in exclude)
        and (batch is None or (type(batch) is int and batch > 0))
    )


def _measurements_fit(others: NDArray[Any], log_ms: NDArray[Any]) -> bool:
    """Whether arrays that were read are logarithms of latencies: of n networks on the known machines, and of the same on this one."""
    return (
        others.dtype == log_ms.dtype == np.float64
        and others.ndim == 2
        and log_ms.shape == others.shape[:1]
        and len(log_ms) > 0
        and all(bool((np.abs(values) < _LARGEST_LOG).all()) for values in (others, log_ms))
    )


class LatencyScorer:
    """Minus the milliseconds on a device: the faster network is the better one.

    Args:
        device, exclude, batch: as for `LatencyPredictor`.
    """

    def __init__(self, device: str, exclude: Sequence[str] = (), *, batch: int | None = None) -> None:
        self.name = f"latency@{device}"
        self._predictor = LatencyPredictor(device, exclude, batch=batch)
        self._predictor._known()

    def predict(self, graphs: Sequence[Graph], return_std: bool = False) -> Any:
        """Scores, (n,); with ``return_std`` also the deviation of which the interval is 1.645 on either side, (n,)."""
        if not return_std:
            return -self._predictor.predict(graphs)
        ms, low, high = self._predictor.predict(graphs, return_interval=True)
        return -ms, (high - low) / (2 * NINE_OF_TEN)
