"""Reads mutated documents and fails on anything but a graph or the library's own error.

``PYTHONPATH=packages/cg-ir/tests/material python packages/cg-ir/benchmarks/fuzz.py --count 200000`` (a smaller sample runs with the tests). A document
that takes longer than the limit counts as a hang. What fails is printed with its seed and is reproduced by ``--seed``.
"""

from __future__ import annotations

import argparse
import random
import time
import traceback

from broken_documents import mutants, survives
from operator_samples import SAMPLES

LIMIT = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    graphs, refused, slowest, start = 0, 0, 0.0, time.perf_counter()
    for number, document in enumerate(mutants([s.graph() for s in SAMPLES], arguments.count, rng)):
        began = time.process_time()
        try:
            read = survives(document)
        except Exception:
            traceback.print_exc()
            raise SystemExit(f"document {number} of seed {arguments.seed}: {document[:2000]!r}") from None
        took = time.process_time() - began
        slowest = max(slowest, took)
        if took > LIMIT:
            raise SystemExit(f"document {number} of seed {arguments.seed} took {took:.1f} s: {document[:2000]!r}")
        graphs += read
        refused += not read
    seconds = time.perf_counter() - start
    print(
        f"{arguments.count} documents in {seconds:.0f} s: {graphs} graphs, {refused} refused, slowest {slowest * 1e3:.0f} ms"
    )


if __name__ == "__main__":
    main()
