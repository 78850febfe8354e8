"""Regression trees as plain arrays: written from fitted scikit-learn trees, evaluated with numpy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Forest"]

_AT_ONCE = 500_000  # pairs of network and inner node at a time: about what fits a cache


class _Questions(NamedTuple):
    """What the inner nodes ask, level by level from the roots down, M in all.

    Attributes:
        columns: those that any of them looks at, (c,).
        column: of each question, among these, (M,).
        threshold: of each question, (M, 1).
        levels: of each level, numbers of its nodes within their trees, which of the nodes are inner ones, and their questions.
    """

    columns: NDArray[np.int16]
    column: NDArray[np.int64]
    threshold: NDArray[np.float32]
    levels: list[tuple[NDArray[np.unsignedinteger[Any]], NDArray[np.int64], slice]]


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

    @cached_property
    def _questions(self) -> _Questions:
        sizes = np.diff(self.roots, append=len(self.feature))
        number = np.arange(len(self.feature)) - np.repeat(self.roots, sizes)
        small = np.min_scalar_type(int(sizes.max(initial=1)) - 1)
        nodes, levels, asking, first = self.roots, [], [self.roots[:0]], 0
        while len(nodes):
            inner = np.flatnonzero(self.feature[nodes] >= 0)
            levels.append((number[nodes].astype(small), inner, slice(first, first + len(inner))))
            asking.append(nodes[inner])
            first += len(inner)
            left = self.left[nodes[inner]]
            nodes = np.stack([left, left + 1], axis=1).ravel()
        asked = np.concatenate(asking)
        columns, column = np.unique(self.feature[asked], return_inverse=True)
        return _Questions(columns, column, self.threshold[asked, None], levels)

    def predict(self, x: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
        """The sums, (n,), for features ``x``, (n, d).

        Every inner node asks its question of every network, and the numbers of leaves rise to the roots. That is more comparisons than a walk down each
        tree takes, but all of them on neighbouring values, without a branch.
        """
        x = np.asarray(x, dtype=np.float32)
        result = np.full(len(x), self.offset)
        columns, column, threshold, levels = self._questions
        step = max(16, _AT_ONCE // max(1, len(column)))
        for begin in range(0, len(x), step):
            block = np.ascontiguousarray(x[begin : begin + step, columns].T)
            right = (block.take(column, axis=0) > threshold).view(np.uint8)
            leaf = np.zeros((0, block.shape[1]), dtype=levels[0][0].dtype)
            for number, inner, questions in reversed(levels):
                left = leaf[0::2]
                chosen = left ^ ((left ^ leaf[1::2]) & np.negative(right[questions], dtype=leaf.dtype))
                leaf = np.repeat(number[:, None], block.shape[1], axis=1)
                leaf[inner] = chosen
            result[begin : begin + step] += self.value.take(leaf + self.roots[:, None]).sum(axis=0, dtype=np.float64)
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
