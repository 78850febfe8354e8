"""Loads, validates and hashes documents of many nodes; time and memory should grow linearly.

``python packages/cg-ir/benchmarks/large_document.py 100000 1000000`` measures each size in a process of its own.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cg_ir


def write(path: Path, nodes: int) -> None:
    """A chain of residual blocks with about ``nodes`` nodes."""
    shape = '"shape": [1, 16, 8, 8]'
    with path.open("w", encoding="utf-8") as out:
        out.write(f'{{"cg_ir": "1.0", "opset": 1, "nodes": [\n{{"op": "Input", {shape}}}')
        i = 0
        while i < nodes - 5:
            out.write(
                f',\n{{"op": "Conv", "inputs": [{i}], "attrs": {{"kernel_shape": [3, 3], "pads": [1, 1, 1, 1]}}, {shape}, '
                f'"region": "block_{i // 1000}"}}'
                f',\n{{"op": "BatchNormalization", "inputs": [{i + 1}], {shape}}}'
                f',\n{{"op": "Relu", "inputs": [{i + 2}], {shape}}}'
                f',\n{{"op": "Add", "inputs": [{i + 3}, {i}], {shape}}}'
            )
            i += 4
        out.write(f',\n{{"op": "Output", "inputs": [{i}], {shape}}}]}}\n')


def measure(path: Path) -> None:
    """Prints CPU seconds of loading (which validates) and hashing, and the peak of memory."""
    start = time.process_time()
    graph = cg_ir.load(path)
    loaded = time.process_time()
    digest = graph.hash
    hashed = time.process_time()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(
        f"{len(graph):>9} nodes: load {loaded - start:6.1f} s, hash {hashed - loaded:6.1f} s, {peak:.2f} GiB, {digest}"
    )


def main() -> None:
    if sys.argv[1:2] == ["--measure"]:
        measure(Path(sys.argv[2]))
        return
    for nodes in map(int, sys.argv[1:] or ["100000", "1000000"]):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "large.cg.json"
            write(path, nodes)
            subprocess.run([sys.executable, __file__, "--measure", str(path)], check=True)


if __name__ == "__main__":
    main()
