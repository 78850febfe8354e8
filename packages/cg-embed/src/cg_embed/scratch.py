"""Memory that batches use one after the other: pages fresh from the system cost as much as the arithmetic on them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray


class Scratch:
    """Uninitialised arrays by name. Asking for a name again gives the same memory again, so that what was there is lost."""

    def __init__(self) -> None:
        self._buffers: dict[str, NDArray[Any]] = {}

    def array(self, name: str, shape: tuple[int, ...], dtype: DTypeLike = np.float64) -> NDArray[Any]:
        """An uninitialised array."""
        size = int(np.prod(shape))
        buffer = self._buffers.get(name)
        if buffer is None or len(buffer) < size or buffer.dtype != dtype:
            buffer = self._buffers[name] = np.empty(size + size // 8, dtype=dtype)
        return buffer[:size].reshape(shape)
