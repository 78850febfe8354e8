"""Speed and memory of the search spaces: graphs and hashes a second in one process, bytes a graph.

Times are of the process's CPU, the best of several rounds; the first networks, which fill the caches of fragments, are not counted.

    python packages/cg-frontends/benchmarks/spaces.py [--graphs N] [--json]
"""

from __future__ import annotations

import argparse
import json
import time
import tracemalloc
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from cg_ir import get_space
from cg_ir.batch_hashing import hash_all

#: Graphs a second that each space should reach.
TARGETS = {
    "nb201": 10_000,
    "nb101": 5_000,
    "nb301": 2_000,
    "mobilenetv3": 5_000,
    **dict.fromkeys(("natssize", "mnasnet", "transnas", "autoformer", "metaqnn", "naap440")),
}
ROUNDS = 5


def measure(name: str, count: int) -> dict[str, Any]:
    """Figures of one space."""
    space = get_space(name)
    rng = np.random.default_rng(0)
    archs = [space.sample(rng) for _ in range(count)]
    graphs = [space.graph(arch) for arch in archs]
    build = min(_seconds(lambda: [space.graph(arch) for arch in archs]) for _ in range(ROUNDS))
    fresh = [[space.graph(arch) for arch in archs[: count // 4]] for _ in range(ROUNDS)]
    one_by_one = min(_seconds(lambda batch=batch: [graph.hash for graph in batch]) for batch in fresh)  # type: ignore[misc]
    fresh = [[space.graph(arch) for arch in archs] for _ in range(ROUNDS)]
    together = min(_seconds(lambda batch=batch: hash_all(batch)) for batch in fresh)  # type: ignore[misc]
    del fresh, graphs
    tracemalloc.start()
    kept = [space.graph(arch) for arch in archs]
    size = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    nodes = sum(map(len, kept)) / count
    return {
        "space": name,
        "nodes": nodes,
        "graphs_per_second": count / build,
        "hashes_per_second": (count // 4) / one_by_one,
        "hashes_per_second_together": count / together,
        "bytes_per_graph": size / count,
        "bytes_per_node": size / count / nodes,
        "target": TARGETS[name],
    }


def _seconds(work: Any) -> float:
    start = time.process_time()
    work()
    return time.process_time() - start


def main() -> None:
    """Measure every space and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--graphs", type=int, default=1000, help="networks of each space")
    parser.add_argument("--json", action="store_true", help="print JSON")
    arguments = parser.parse_args()
    rows = [measure(name, arguments.graphs) for name in TARGETS]
    if arguments.json:
        print(json.dumps(rows, indent=2))
        return
    table = Table("space", "nodes", "graphs/s", "target", "hash/s", "hash_all/s", "kB a graph", "B a node")
    for row in rows:
        table.add_row(
            row["space"],
            f"{row['nodes']:.0f}",
            f"{row['graphs_per_second']:,.0f}",
            f"{row['target']:,}" if row["target"] else "",
            f"{row['hashes_per_second']:,.0f}",
            f"{row['hashes_per_second_together']:,.0f}",
            f"{row['bytes_per_graph'] / 1000:.1f}",
            f"{row['bytes_per_node']:.0f}",
        )
    Console().print(table)


if __name__ == "__main__":
    main()
