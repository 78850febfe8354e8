"""Every network of a space ranked: built, scored and forgotten part by part, in as many processes as there are cores."""

from __future__ import annotations

import heapq
import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import get_space
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.context import SAMPLE
from cg_predict.ranking import Ranking, rank, scores_of

#: Networks that are in memory at a time in each process.
_PART = 4096
#: Parts that wait for a process, so that a long list of architectures is not read ahead.
_WAITING = 2
#: Networks that are ranked at most, about 20 minutes on two cores.
_MOST = 5_000_000
#: Architectures kept for every place of the ranking: several may be notations of one network.
_NOTATIONS = 8

_worker: tuple[Any, Any, Sequence[Graph] | None] | None = None


def rank_space(
    scorer: Any,
    name: str,
    top: int,
    *,
    pool: Sequence[Graph] | None = None,
    workers: int | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
    **options: Any,
) -> Ranking:
    """The best networks of a space that can be listed. Memory does not grow with the space.

    Args:
        scorer: a :class:`cg_predict.Predictor`, fitted or not, or any other scorer that can be pickled.
        name: of the space, with options.
        top: how many networks to name, at least 1.
        pool: the networks among which one ranks, for scorers that take one, see `representatives`.
        workers: processes; as many as there are cores if absent. The result does not depend on it.
        progress: told how many networks of how many have been scored.
        options: of `cg_predict.ranking.rank`, for the table of the best.

    Raises:
        CgError: the space cannot be listed, or ``top`` is not positive.
    """
    space, total = _listed(name)
    if top < 1:
        raise CgError(f"--top should be at least 1, not {top}")
    best: list[tuple[float, int, str]] = []
    done, kept = 0, _NOTATIONS * top
    for archs, scores in _scored(scorer, name, pool, space.enumerate(), workers or os.cpu_count() or 1):
        rows = [(float(scores[i]), -(done + i), archs[i]) for i in np.argsort(-scores, kind="stable")[:kept].tolist()]
        best = heapq.nlargest(kept, [*best, *rows])
        done += len(archs)
        progress(done, total)
    archs = [arch for _, _, arch in best]
    found = rank(scorer, [space.graph(arch) for arch in archs], archs, pool, **options)
    return found.best_of(top)


def representatives(name: str, size: int = SAMPLE) -> list[Graph]:
    """Networks that stand for a space: so many, evenly spaced in its list, each once.

    Raises:
        CgError: the space cannot be listed.
    """
    space, total = _listed(name)
    places = set(np.linspace(0, total - 1, min(size, total)).astype(int).tolist())
    graphs = (space.graph(arch) for i, arch in enumerate(space.enumerate()) if i in places)
    return list({graph.hash: graph for graph in graphs}.values())


def _listed(name: str) -> tuple[Any, int]:
    """A space and how many networks it lists."""
    space = get_space(name)
    total = getattr(space, "size", None)
    if not total or total > _MOST or not hasattr(space, "enumerate"):
        raise CgError(
            f"the space '{name}' has too many networks to rank all ({_MOST:,} at most): search it, or rank a sample"
        )
    return space, total


def _scored(
    scorer: Any, name: str, pool: Sequence[Graph] | None, archs: Iterator[str], workers: int
) -> Iterator[tuple[list[str], NDArray[np.float64]]]:
    """Parts of the architectures with their scores, in order."""
    parts = iter(lambda: list(islice(archs, _PART)), [])
    if workers == 1:
        _begin(scorer, name, pool)
        for part in parts:
            yield part, _score(part)
        return
    context = multiprocessing.get_context("spawn")  # forks of a process with threads may hang
    with ProcessPoolExecutor(workers, context, _begin, (scorer, name, pool)) as executor:
        running: deque[tuple[list[str], Future[NDArray[np.float64]]]] = deque()
        for part in parts:
            running.append((part, executor.submit(_score, part)))
            if len(running) >= workers + _WAITING:
                first, future = running.popleft()
                yield first, future.result()
        while running:
            first, future = running.popleft()
            yield first, future.result()


def _begin(scorer: Any, name: str, pool: Sequence[Graph] | None) -> None:
    global _worker
    _worker = (scorer, get_space(name), pool)


def _score(archs: list[str]) -> NDArray[np.float64]:
    assert _worker is not None
    scorer, space, pool = _worker
    return scores_of(scorer, [space.graph(arch) for arch in archs], pool)[0]
