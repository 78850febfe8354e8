"""A search space of convolutional stacks, and a frontend that reads such a stack from a ``.stack`` file."""

from pathlib import Path

from cg_ir import ArchError, Graph, GraphBuilder, SourceError
from cg_ir.plugins import hookimpl


class StackSpace:
    """Four convolutions, each with kernel 1, 3 or 5: an architecture is a string such as ``1353``."""

    name, size = "stack", 3**4

    def sample(self, rng):
        return "".join(rng.choice(list("135"), size=4))

    def mutate(self, arch, rng):
        return str(rng.choice(self.neighbors(arch)))

    def crossover(self, a, b, rng):
        return "".join(pair[i] for pair, i in zip(zip(a, b, strict=True), rng.integers(2, size=4), strict=True))

    def neighbors(self, arch):
        return [arch[:i] + kernel + arch[i + 1 :] for i in range(4) for kernel in "135" if kernel != arch[i]]

    def graph(self, arch) -> Graph:
        if len(arch) != 4 or not set(arch) <= set("135"):
            raise ArchError(f"a stack should be four digits out of 1, 3 and 5, not {arch!r:.40}")
        b = GraphBuilder(f"stack/{arch}")
        x = b.input((1, 3, 32, 32))
        for i, k in enumerate(map(int, arch)):
            x = b.add("Conv", x, channels=16 << i, kernel_shape=(k, k), strides=(2, 2), pads=(k // 2,) * 4)
            x = b.add("Relu", b.add("BatchNormalization", x))
        b.output(b.add("Gemm", b.add("ReduceMean", x, axes=(2, 3), keepdims=False), channels=10, bias=True))
        return b.build()


class StackFile:
    name = "stack-file"

    def accepts(self, source) -> bool:
        return isinstance(source, str) and source.endswith(".stack")

    def convert(self, source, **options) -> Graph:
        try:
            return StackSpace().graph(Path(source).read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise SourceError(f"{source}: cannot be read as a stack: {error}") from None


@hookimpl
def cg_spaces():
    return [StackSpace]


@hookimpl
def cg_frontends():
    return [StackFile]
