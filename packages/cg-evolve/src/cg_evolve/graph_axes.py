"""What the sizes in a graph have to do with each other: which may change, and what changes with them.

Every axis of every node is a product of *factors*. Operators tie factors together (an addition those of its inputs), split them (a reshape of 192
channels to 3 heads of 64), add them up (a concatenation) or fix them (the network's inputs and outputs, strides, slices). What is left
free can be given another size, and all shapes of the network follow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cg_ir import Graph, Node
from cg_ir.operators import OPERATORS

__all__ = ["Axes", "Axis", "Factor", "depthwise"]


@dataclass(eq=False)
class Factor:
    """A size.

    Attributes:
        size: in the given graph.
        maker: the node whose weights give it, -1 for none.
        fixed: whether it may not change.
        same: the factor that it is tied to; none where it stands for itself.
        parts: the factors that it is the product of, in order; none where it is not split.
        terms: the axes that it is the sum of; none where it is no sum.
    """

    size: int
    maker: int = -1
    fixed: bool = False
    same: Factor | None = None
    parts: tuple[Factor, ...] = ()
    terms: tuple[Axis, ...] = ()


#: Factors of an axis, the slowest first; none for a size of 1.
Axis = tuple[Factor, ...]


def depthwise(node: Node) -> bool:
    """Whether a node is a convolution of each channel alone."""
    group = node.attrs["group"] if node.op == "Conv" else 1
    return bool(group > 1 and group == node.graph.nodes[node.inputs[0]].shape[1])


class Axes:
    """The axes of all nodes of a graph.

    Attributes:
        of: for each node its axes.
    """

    def __init__(self, graph: Graph) -> None:
        self.nodes: list[Node] = list(graph.nodes)
        self.of: list[tuple[Axis, ...]] = []
        for node in self.nodes:
            self.of.append(self._axes(node, [self.of[i] for i in node.inputs]))

    # --- factors ------------------------------------------------------------------------------------------------------

    def factors(self, axis: Axis) -> Axis:
        """The factors that an axis comes down to now: ties and splits followed."""
        found: list[Factor] = []
        for factor in axis:
            while factor.same is not None:
                factor = factor.same
            found += self.factors(factor.parts) if factor.parts else (factor,)
        return tuple(found)

    def size(self, axis: Axis, sizes: Mapping[Factor, int] | None = None) -> int:
        """Size of an axis; ``sizes`` gives factors another one."""
        result = 1
        for factor in self.factors(axis):
            if factor.terms:
                result *= sum(self.size(term, sizes) for term in factor.terms)
            else:
                result *= factor.size if sizes is None else sizes.get(factor, factor.size)
        return result

    def shape(self, node: int, sizes: Mapping[Factor, int]) -> tuple[int, ...]:
        """Shape of a node with other sizes of factors."""
        return tuple(self.size(axis, sizes) for axis in self.of[node])

    def leaves(self, axis: Axis) -> Iterator[Factor]:
        """The factors that the size of an axis comes from."""
        for factor in self.factors(axis):
            yield factor
            for term in factor.terms:
                yield from self.leaves(term)

    def free(self, factor: Factor) -> bool:
        """Whether a factor that :meth:`factors` gave may be given another size."""
        return not factor.fixed and not factor.terms

    def summed(self, axis: Axis) -> bool:
        """Whether a size is a sum (behind a concatenation)."""
        return any(factor.terms for factor in self.factors(axis))

    def fix(self, axis: Axis) -> None:
        """Keep an axis as it is."""
        for factor in self.factors(axis):
            factor.fixed = True
            for term in factor.terms:
                self.fix(term)

    def tie(self, a: Axis, b: Axis) -> None:
        """Two axes are one number."""
        left, right = list(self.factors(a)), list(self.factors(b))
        while left and right:
            x, y = left.pop(0), right.pop(0)
            if x is y:
                continue
            if x.size == y.size:
                self._join(x, y)
            elif x.size % y.size == 0 and not x.terms:
                right.insert(0, y)
                left[:0] = self._split(x, y.size)
            elif y.size % x.size == 0 and not y.terms:
                left.insert(0, x)
                right[:0] = self._split(y, x.size)
            else:
                self.fix((x, y, *left, *right))
                return
        self.fix((*left, *right))

    def _join(self, x: Factor, y: Factor) -> None:
        if x.terms or y.terms:  # a sum has no one size that the other could follow
            self.fix((x, y))
            return
        # the maker that comes first gives the name
        if x.maker == -1 or -1 < y.maker < x.maker:
            x, y = y, x
        y.same = x
        x.fixed = x.fixed or y.fixed

    @staticmethod
    def _split(factor: Factor, first: int) -> Axis:
        factor.parts = tuple(
            Factor(size, factor.maker, factor.fixed) for size in (first, factor.size // first) if size > 1
        )
        return factor.parts

    def _regroup(self, axes: Sequence[Axis], shape: Sequence[int]) -> tuple[Axis, ...] | None:
        """The same elements in row-major order with another shape; None where no split of the factors does it."""
        left: list[Factor] = []
        for factor in (factor for axis in axes for factor in self.factors(axis)):
            if left and left[-1].fixed and factor.fixed:  # neighbours that stay as they are may be cut anywhere
                left[-1] = Factor(left[-1].size * factor.size, fixed=True)
            else:
                left.append(factor)
        result: list[Axis] = []
        for size in shape:
            taken: list[Factor] = []
            while size > 1:
                if not left:
                    return None
                factor = left.pop(0)
                if size % factor.size == 0:
                    taken.append(factor)
                    size //= factor.size
                elif factor.size % size == 0 and not factor.terms:
                    left[:0] = self._split(factor, size)
                else:
                    return None
            result.append(tuple(taken))
        return tuple(result)

    @staticmethod
    def _fixed(shape: Sequence[int]) -> tuple[Axis, ...]:
        return tuple((Factor(size, fixed=True),) if size > 1 else () for size in shape)

    def _made(self, node: Node, size: int) -> Axis:
        """An axis whose size a node's weights give."""
        return (Factor(size, node.index, fixed=node.weights is not None),) if size > 1 else ()

    # --- operators ----------------------------------------------------------------------------------------------------

    def _axes(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        rule = _RULES[node.op] if node.op in _RULES else _RULES_BY_KIND.get(OPERATORS[node.op].kind)
        found = rule(self, node, ins) if rule is not None else None
        if found is None or [self.size(axis) for axis in found] != list(node.shape):
            for axes in ins:
                for axis in axes:
                    self.fix(axis)
            found = self._fixed(node.shape)
        if node.weights is not None and ins:  # weights that several nodes share fit all of them as they are
            for axis in (*ins[0], *found):
                self.fix(axis)
        return found

    def _parameter(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        return tuple((Factor(size, fixed=node.weights is not None),) if size > 1 else () for size in node.shape)

    def _pointwise(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        """Axes aligned at the right; those of size 1 are stretched."""
        result: list[Axis] = [()] * len(node.shape)
        for axes in ins:
            if len(axes) > len(result):
                return None
            for place, axis in enumerate(axes, len(result) - len(axes)):
                if self.size(axis) == 1:
                    continue
                if not result[place]:
                    result[place] = axis
                else:
                    self.tie(result[place], axis)
        return tuple(result)

    def _first(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        """The axes of the first input; further ones (weights, statistics) are fixed."""
        for axes in ins[1:]:
            for axis in axes:
                self.fix(axis)
        return ins[0]

    def _convolution(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        if len(ins) > 1 or len(node.shape) < 3:
            return None
        batch, channels, *extent = ins[0]
        for axis in extent:
            self.fix(axis)
        if depthwise(node):
            if node.shape[1] == self.size(channels):
                return (batch, channels, *self._fixed(node.shape[2:]))
            self.fix(channels)
            return (batch, *self._fixed(node.shape[1:]))
        return (batch, self._made(node, node.shape[1]), *self._fixed(node.shape[2:]))

    def _spatial(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        """Batch and channels stay, the extent is computed."""
        if len(node.shape) < 3 or len(ins) > 1 or len(ins[0]) != len(node.shape):
            return None
        for axis in ins[0][2:]:
            self.fix(axis)
        return (*ins[0][:2], *self._fixed(node.shape[2:]))

    def _affine(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        if len(ins) > 1:
            return None
        return (*ins[0][:-1], self._made(node, node.shape[-1]))

    def _embedding(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        return (*ins[0], self._made(node, node.shape[-1])) if len(ins) == 1 else None

    def _product(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        a, b = ins
        if len(a) < 2 or len(b) < 2:
            return None
        self.tie(a[-1], b[-2])
        batch = self._batch(node, [a[:-2], b[:-2]], node.shape[:-2])
        return None if batch is None else (*batch, a[-2], b[-1])

    def _attention(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        query, key, value, *mask = ins
        self.tie(query[-1], key[-1])
        self.tie(key[-2], value[-2])
        batch = self._batch(node, [axes[:-2] for axes in (query, key, value)], node.shape[:-2])
        if batch is None:
            return None
        for axes in mask:
            whole: tuple[Axis, ...] = (*batch, query[-2], key[-2])
            if len(axes) > len(whole):
                return None
            for axis, other in zip(reversed(axes), reversed(whole), strict=False):
                if self.size(axis) > 1:
                    self.tie(axis, other)
        return (*batch, query[-2], value[-1])

    def _batch(self, node: Node, parts: list[tuple[Axis, ...]], shape: Sequence[int]) -> tuple[Axis, ...] | None:
        """Leading axes of a product, stretched where they are 1."""
        result: list[Axis] = [()] * len(shape)
        for axes in parts:
            for axis, place in zip(reversed(axes), reversed(range(len(shape))), strict=False):
                if self.size(axis) > 1:
                    if result[place]:
                        if self.size(axis) != self.size(result[place]):
                            return None  # groups of heads share keys
                        self.tie(result[place], axis)
                    result[place] = result[place] or axis
        return tuple(result)

    def _reshape(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        return self._regroup(ins[0], node.shape) if len(ins) == 1 else None

    def _transpose(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        return tuple(ins[0][i] for i in node.attrs["perm"])

    def _slice(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        result: list[Axis] = []
        for place, (axis, size) in enumerate(zip(ins[0], node.shape, strict=True)):
            start, step = node.attrs["starts"][place], node.attrs["steps"][place]
            if size == self.size(axis):
                result.append(axis)
                continue
            parts = None
            if step == 1 and start % size == 0 and self.size(axis) % size == 0:
                parts = self._regroup([axis], (self.size(axis) // size, size))
            if parts is None:
                self.fix(axis)
                result += self._fixed([size])
            else:
                self.fix(parts[0])
                result.append(parts[1])
        return tuple(result)

    def _concat(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        place = node.attrs["axis"]
        for axes in ins[1:]:
            for i, axis in enumerate(axes):
                if i != place:
                    self.tie(ins[0][i], axis)
        terms = tuple(axes[place] for axes in ins)
        still = all(factor.fixed for axis in terms for factor in self.factors(axis))
        total = Factor(node.shape[place], fixed=still, terms=() if still else terms)
        joined: Axis = (total,)
        return (*ins[0][:place], joined, *ins[0][place + 1 :])

    def _reduce(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        axes = node.attrs["axes"] or tuple(range(len(ins[0])))
        if node.attrs["keepdims"]:
            return tuple(() if i in axes else axis for i, axis in enumerate(ins[0]))
        return tuple(axis for i, axis in enumerate(ins[0]) if i not in axes)

    def _gather(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        data, index = ins
        place = node.attrs["axis"]
        self.fix(data[place])
        return (*data[:place], *index, *data[place + 1 :])

    def _expand(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...]:
        missing = len(node.shape) - len(ins[0])
        old = ((),) * missing + ins[0]
        return tuple(
            axis if self.size(axis) == size else self._fixed([size])[0]
            for axis, size in zip(old, node.shape, strict=True)
        )

    def _pad(self, node: Node, ins: list[tuple[Axis, ...]]) -> tuple[Axis, ...] | None:
        if len(ins) > 1 or len(ins[0]) != len(node.shape):
            return None
        result: list[Axis] = []
        for axis, size in zip(ins[0], node.shape, strict=True):
            if self.size(axis) == size:
                result.append(axis)
            else:
                self.fix(axis)
                result += self._fixed([size])
        return tuple(result)


_Rule = Callable[[Axes, Node, list[tuple[Axis, ...]]], "tuple[Axis, ...] | None"]
#: By operator; None where it fixes its inputs, as operators without a rule do.
_RULES: dict[str, _Rule | None] = {
    "Parameter": Axes._parameter,
    "Conv": Axes._convolution,
    "ConvTranspose": Axes._convolution,
    "Gemm": Axes._affine,
    "MatMul": Axes._product,
    "Attention": Axes._attention,
    "Embedding": Axes._embedding,
    "Transpose": Axes._transpose,
    "Slice": Axes._slice,
    "Concat": Axes._concat,
    "Gather": Axes._gather,
    "Expand": Axes._expand,
    "Roll": Axes._first,
    "Pad": Axes._pad,
    "PRelu": Axes._first,
    **dict.fromkeys(("Reshape", "Flatten", "Squeeze", "Unsqueeze"), Axes._reshape),
    **dict.fromkeys(("ArgMax", "ArgMin", "TopK", "Trilu"), None),
}
_RULES_BY_KIND: dict[str, _Rule] = {
    "elementwise": Axes._pointwise,
    "activation": Axes._first,
    "norm": Axes._first,
    "pool": Axes._spatial,
    "resize": Axes._spatial,
    "reduce": Axes._reduce,
}
