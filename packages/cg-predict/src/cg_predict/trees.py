"""Regression trees as plain arrays: written from fitted scikit-learn trees, evaluated with numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest"]

_AT_ONCE = 250_000  # pairs of network and tree walked at a time: about what fits a cache


@dataclass(frozen=True)
class Forest:
    """A weighted sum of regression trees.

    The two children of a node follow each other, so one number leads to both. A leaf leads to itself.

    Args:
        roots: node of each tree's root, int32 (T,).
        feature: column that a node looks at, int16 (N,); -1 in a leaf.
        threshold: to the right where the column is greater, float32 (N,); infinite in a leaf.
        left: left child, int32 (N,).
        value: what a leaf adds, float32 (N,), 0 elsewhere.
        depth: longest walk from a root.
        offset: added to the sum.
    """

    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    value: NDArray[np.float32]
    depth: int
    offset: float = 0.0

    def __len__(self) -> int:
        return len(self.roots)

    @classmethod
    def from_trees(cls, trees: Iterable[Any], weights: Iterable[float], offset: float = 0.0) -> Forest:
        """From scikit-learn's ``tree_`` structures.

        Args:
            trees: ``estimator.tree_`` of each tree.
            weights: factor of each tree's values.
            offset: constant term.
        """
        roots, feature, threshold, left, value = [], [], [], [], []
        base = depth = 0
        for tree, weight in zip(trees, weights, strict=True):
            order = [0]
            place = {0: 0}
            for node in order:  # grows while it is walked: breadth first, siblings side by side
                if tree.children_left[node] >= 0:
                    for child in (int(tree.children_left[node]), int(tree.children_right[node])):
                        place[child] = len(order)
                        order.append(child)
            index = np.array(order)
            leaf = tree.children_left[index] < 0
            roots.append(base)
            feature.append(np.where(leaf, -1, tree.feature[index]).astype(np.int16))
            threshold.append(np.where(leaf, np.inf, tree.threshold[index]).astype(np.float32))
            own = np.arange(len(index))
            down = np.array([place[int(tree.children_left[n])] if tree.children_left[n] >= 0 else 0 for n in order])
            left.append((np.where(leaf, own, down) + base).astype(np.int32))
            value.append(np.where(leaf, tree.value[index, 0, 0] * weight, 0.0).astype(np.float32))
            base += len(index)
            depth = max(depth, int(tree.max_depth))
        return cls(
            np.array(roots, dtype=np.int32), np.concatenate(feature), np.concatenate(threshold), np.concatenate(left),
            np.concatenate(value), depth, float(offset),
        )  # fmt: skip

    def predict(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The sums, (n,), for features ``x``, (n, d)."""
        x = np.ascontiguousarray(x, dtype=np.float32)
        n, d = x.shape
        result = np.full(n, self.offset)
        flat_feature = np.maximum(self.feature, 0).astype(np.int32)
        step = max(1, _AT_ONCE // max(1, len(self)))
        for begin in range(0, n, step):
            block = x[begin : begin + step]
            flat = block.ravel()
            base = (np.arange(len(block), dtype=np.int32) * d)[:, None]
            node = np.broadcast_to(self.roots, (len(block), len(self))).copy()
            for _ in range(self.depth):
                # A leaf's threshold is infinite, so it stays where it is.
                right = flat[flat_feature[node] + base] > self.threshold[node]
                node = self.left[node]
                node += right
            result[begin : begin + step] += self.value[node].sum(axis=1, dtype=np.float64)
        return result

    # --- files --------------------------------------------------------------------------------------------------------

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        """Compact arrays: children relative to their node, thresholds and values in half precision.

        Thresholds between ranks on a grid of 1/1024 survive half precision exactly (see `cg_predict.pool`); others are rounded to it.
        """
        inner = self.feature >= 0
        step = self.left - np.arange(len(self.left), dtype=np.int32)
        if step.max(initial=0) >= 2**16:
            raise ValueError("a tree is too large to store")
        # A node has a threshold or a value, never both.
        return {
            "roots": self.roots,
            "feature": self.feature,
            "step": step.astype(np.uint16),
            "number": np.where(inner, self.threshold, self.value).astype(np.float16),
            "offset": np.array([self.offset], dtype=np.float32),
            "depth": np.array([self.depth], dtype=np.int16),
        }

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> Forest:
        """The inverse of `to_arrays`."""
        inner = arrays["feature"] >= 0
        number = arrays["number"].astype(np.float32)
        return cls(
            arrays["roots"].astype(np.int32),
            arrays["feature"].astype(np.int16),
            np.where(inner, number, np.float32(np.inf)),
            (arrays["step"].astype(np.int32) + np.arange(len(inner), dtype=np.int32)).astype(np.int32),
            np.where(inner, np.float32(0), number),
            int(arrays["depth"][0]),
            float(arrays["offset"][0]),
        )
