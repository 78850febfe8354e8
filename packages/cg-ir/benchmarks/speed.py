"""Graphs a second of building, hashing, writing and reading, and memory a graph; one process, spaces that are installed.

``python packages/cg-ir/benchmarks/speed.py --space nb201 --count 5000``
"""

from __future__ import annotations

import argparse
import time
import tracemalloc
from collections.abc import Callable

import numpy as np

import cg_ir


def fresh(graph: cg_ir.Graph) -> cg_ir.Graph:
    """The graph without what it has computed so far."""
    graph.__dict__.clear()
    return graph


def rate(work: Callable[[], object], count: int) -> str:
    """Pieces of work a second of CPU time."""
    start = time.process_time()
    work()
    return f"{count / (time.process_time() - start):,.0f}/s"


def measure(name: str, count: int) -> str:
    """One line about a space."""
    space = cg_ir.get_space(name)
    rng = np.random.default_rng(0)
    archs = [space.sample(rng) for _ in range(count)]
    graphs = [space.graph(arch) for arch in archs[:50]]  # warm: signatures, columns
    built = rate(lambda: [space.graph(arch) for arch in archs], count)
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    graphs = [space.graph(arch) for arch in archs]
    memory = (tracemalloc.get_traced_memory()[0] - before) / len(graphs)
    tracemalloc.stop()
    nodes = sum(map(len, graphs)) / len(graphs)
    costs = rate(lambda: [(g.params, g.macs) for g in graphs], count)
    one = rate(lambda: [fresh(g).hash for g in graphs], count)
    for graph in graphs:
        fresh(graph)
    together = rate(lambda: cg_ir.hash_all(graphs), count)
    texts: list[str] = []
    written = rate(lambda: texts.extend(g.to_json() for g in graphs), count)
    read = rate(lambda: [cg_ir.from_json(text) for text in texts], count)
    return (
        f"{name}: {nodes:.0f} nodes; build {built}, params and MACs {costs}, hash {one}, hash_all {together}, write {written}, "
        f"read {read}; {memory / 1000:.1f} kB a graph ({200 * memory / nodes / 1000:.1f} kB per 200 nodes)"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", action="append", help="search spaces; nb201 if absent")
    parser.add_argument("--count", type=int, default=3000)
    arguments = parser.parse_args()
    for name in arguments.space or ["nb201"]:
        print(measure(name, arguments.count))


if __name__ == "__main__":
    main()
