"""Training the prior: ``cg fit-prior --data DIR`` learns from the open tables of a folder, ``--source FILE`` from a family of one's own.

Per table a random sample of its labelled networks is described, labels become normal scores, and one expert is learned (`cg_predict.experts`). What comes of
every family when it and its relatives are left out is measured, on the whole and on slices, and goes into the checkpoint as what to expect.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cg_ir import get_space
from cg_ir.errors import CgError
from cg_ir.graph import Graph
from cg_predict.experts import Source, slice_of, train_expert
from cg_predict.features import descriptors, fingerprint, path_vectors
from cg_predict.metrics import kendall, spearman
from cg_predict.pool import PoolScale
from cg_predict.prior import Prior, prior_from, shipped_directory
from cg_predict.tables import FAMILIES, Family, LabelledFamily, labels_of, read_family, relatives_of
from cg_predict.targets import normal_scores
from cg_predict.trust import EVIDENCE, Trust

__all__ = ["extend", "model_card", "read_sources", "source_from", "train"]

#: Networks of a table that are learned from.
SAMPLE = 1500
#: Slices of each family on which it is seen what comes of a score without labels.
PARTS = 8
_LEAST = 40


def source_from(labelled: LabelledFamily, family: str, table: str, scores: NDArray[np.float64], metric: str) -> Source:
    """Describe labelled networks."""
    graphs = labelled.graphs()
    return Source(
        table, family, descriptors().encoder.encode(graphs), scores, path_vectors().encoder.encode(graphs),
        tuple(f"{labelled.name}:{arch}" for arch in labelled.archs), metric, labelled.labels if labelled.groups else None,
    )  # fmt: skip


def read_source(family: Family, data: Path, built: Mapping[str, Graph], seed: int) -> Source:
    """A sample of a table: the mean of the normal scores of all its tasks."""
    position = [f.table for f in FAMILIES].index(family.table)
    main = replace(read_family(family, data), built=built).sample(SAMPLE, np.random.default_rng([seed, position]))
    total = normal_scores(main.labels)
    count = np.ones(len(main))
    place = {arch: i for i, arch in enumerate(main.archs)}
    for metric in family.metrics[1:]:
        other = read_family(family, data, metric)
        rows = [(place[arch], i) for i, arch in enumerate(other.archs) if arch in place]
        here, there = np.array(rows, dtype=int).T
        total[here] += normal_scores(other.labels[there])
        count[here] += 1
    return source_from(main, family.name, family.table, normal_scores(total / count), " + ".join(family.metrics))


def read_own(path: Path, seed: int) -> Source:
    """A family of one's own: graph documents with labels, the first label of each line's (see the guide on labels); a zoo where lines name groups.

    Raises:
        CgError: no such file, or fewer than 40 networks with a label.
    """
    space = get_space("graphs", file=str(path))
    table = space.table  # type: ignore[attr-defined]
    metric = table.metrics[0]
    labels = labels_of(table, metric, table.archs())
    if len(labels) < _LEAST:
        raise CgError(f"{path}: {len(labels)} networks have the label {metric}; a family needs at least {_LEAST}")
    name = path.name.partition(".")[0]
    chosen = np.sort(np.random.default_rng(seed).permutation(len(labels))[:SAMPLE])
    archs = [list(labels)[i] for i in chosen]
    graphs = [space.graph(arch) for arch in archs]
    values = np.array([labels[arch] for arch in archs])
    zoo = any(map(table.group, archs))
    return Source(
        name, name, descriptors().encoder.encode(graphs), normal_scores(values), path_vectors().encoder.encode(graphs), tuple(archs),
        metric, values if zoo else None,
    )  # fmt: skip


def read_sources(
    data: Path | None,
    own: Sequence[Path],
    graphs: Path | None,
    exclude: Sequence[str],
    seed: int,
    progress: Callable[[str], None],
) -> list[Source]:
    """The open tables of a folder, without some families and their relatives, and families of one's own.

    Args:
        data: the folder.
        own: labelled graph documents, a family each.
        graphs: graph documents whose ids are architectures, for those that take long to build or need a library.
        exclude: families to leave out.
        seed: of the samples.
        progress: told what has been done.
    """
    table = get_space("graphs", file=str(graphs)).table if graphs else None  # type: ignore[attr-defined]
    built = {} if table is None else {arch: table.graph(arch) for arch in table.archs()}
    out, sources = relatives_of(exclude), []
    for family in FAMILIES if data else ():
        if family.name not in out:
            sources.append(read_source(family, data, built, seed))  # type: ignore[arg-type]
            progress(f"{family.table}: {len(sources[-1].x)} networks described")
    for path in own:
        sources.append(read_own(path, seed))
        progress(f"{sources[-1].name}: {len(sources[-1].x)} networks described")
    names = [s.name for s in sources]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice or not sources:
        raise CgError(f"two sources are called '{twice}'" if twice else "no family is left to learn from")
    return sources


def train(
    sources: Sequence[Source],
    names: Sequence[str],
    groups: Sequence[str],
    seed: int,
    progress: Callable[[str], None] = lambda line: None,
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Config and arrays of a checkpoint.

    Args:
        sources: the tables.
        names: of the descriptors.
        groups: of each descriptor.
        seed: of samples and trees.
        progress: told what has been done.
    """
    means = np.array([s.x.mean(axis=0, dtype=np.float64) for s in sources])
    variances = np.array([s.x.var(axis=0, dtype=np.float64) for s in sources])
    spread = np.maximum(np.sqrt(variances.mean(axis=0) + means.var(axis=0)), 1e-6)
    arrays: dict[str, NDArray[Any]] = {
        "centre": means.mean(axis=0).astype(np.float32),
        "spread": spread.astype(np.float32),
    }
    tables = {}
    for source in sources:
        expert = train_expert(source, groups, seed)
        arrays |= {f"{source.name}/{key}": value for key, value in expert.to_arrays().items()}
        tables[source.name] = {
            "family": source.family, "known": list(expert.names), "networks": len(source.x), "metric": source.metric,
        }  # fmt: skip
        progress(f"{source.name}: learned")
    config: dict[str, Any] = {
        "tables": tables, "descriptors": list(names), "vectors": fingerprint(path_vectors().encoder), "trust": [], "card": {"seed": seed},
    }  # fmt: skip
    if len({s.family for s in sources}) > 1:
        config["trust"], config["card"]["left_out"] = left_out(
            sources, prior_from(config, arrays), seed
        )  # what the stored arrays say
    return _signed(config, arrays), arrays


def extend(
    config: dict[str, Any], arrays: dict[str, NDArray[Any]], exclude: Sequence[str]
) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """The shipped prior, without some families and their relatives, and the tables of a new one."""
    from cg_embed.checkpoint import read_checkpoint

    shipped, theirs = read_checkpoint(shipped_directory(), "prior")
    out = relatives_of(exclude)
    kept = {t: facts for t, facts in shipped["tables"].items() if facts["family"] not in out}
    twice = sorted(set(kept) & set(config["tables"]))
    if twice:
        raise CgError(
            f"the shipped prior has a table '{twice[0]}' already; rename the file, or leave that one out with --exclude {kept[twice[0]]['family']}"
        )
    both = {name: values for name, values in theirs.items() if "/" not in name or name.partition("/")[0] in kept}
    both |= {name: values for name, values in arrays.items() if "/" in name}
    trust = [row for row in shipped["trust"] if row[0] not in out]
    card = {
        "seed": config["card"]["seed"],
        "left_out": {t: row for t, row in shipped["card"]["left_out"].items() if t in kept},
    }
    return _signed({**config, "tables": kept | config["tables"], "trust": trust, "card": card}, both), both


def _signed(config: dict[str, Any], arrays: Mapping[str, NDArray[Any]]) -> dict[str, Any]:
    """The config with a digest of everything."""
    digest = hashlib.blake2b(json.dumps(config, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(name.encode() + arrays[name].tobytes())
    config["card"]["digest"] = digest.hexdigest()
    return config


def left_out(sources: Sequence[Source], prior: Prior, seed: int) -> tuple[list[list[Any]], dict[str, dict[str, float]]]:
    """What came of each table by a prior that has not seen its family or relatives: rows for `Trust`, and a table for the model card."""
    rows: list[list[Any]] = []
    card = {}
    for source in sources:
        without = prior.without((source.family,))
        if not without.experts:
            continue
        rng = np.random.default_rng([seed, len(rows)])
        parts = [source, *(source.part(slice_of(source.x, 0.15, rng)) for _ in range(PARTS))]
        for number, part in enumerate(parts):
            among = without.among(part.x, PoolScale(part.x))
            score = among.score(part.x)
            evidence = among.evidence.tolist()
            rows.append([source.family, round(spearman(score, part.scores), 4), *(round(v, 4) for v in evidence)])
            if not number:
                card[source.name] = _card_row(part, score, without, prior)
    trust = Trust.from_rows(rows)
    for source in sources:
        own = [row for row in rows if row[0] == source.family]
        expected = [trust.without(relatives_of((source.family,))).expected(np.array(row[2:])) for row in own]
        if own:
            card[source.name]["expected within 0.15"] = round(
                float(np.mean([abs(e - row[1]) <= 0.15 for e, row in zip(expected, own, strict=True)])), 3
            )
    return rows, card


def _card_row(source: Source, score: NDArray[np.float64], without: Prior, prior: Prior) -> dict[str, float]:
    row = {"spearman": spearman(score, source.scores), "kendall": kendall(score, source.scores)}
    row["spearman, no pool"] = spearman(without.score(source.x), source.scores)
    for name, column in (("params", "plain/log_params"), ("macs", "plain/log_macs")):
        row[f"spearman, {name}"] = spearman(source.x[:, prior.names.index(column)].astype(np.float64), source.scores)
    return {key: round(value, 4) for key, value in row.items()}


def model_card(config: Mapping[str, Any]) -> str:
    """The text that goes with the checkpoint; every number is from the training run."""
    left = config["card"].get("left_out", {})
    columns = list(next(iter(left.values()), {}))
    lines = [
        "# Prior of cg-predict", "",
        "Ranks networks without labels, from labels of other families. Licence: Apache-2.0. Written by `cg fit-prior`; `cg_predict.experts` and",
        "`cg_predict.prior` say what is learned and how it is combined.", "", "## Data", "",
        "Labels of public benchmarks; none of their rows is in the checkpoint, which holds trees, linear effects, rank correlations of descriptors with",
        "each other, and the descriptors of some networks of each family.", "",
        "| table | family | networks | label | file | licence |", "|---|---|---|---|---|---|",
    ]  # fmt: skip
    files = {f.table: f.file for f in FAMILIES}
    lines += [
        f"| {t} | {facts['family']} | {facts['networks']} | `{facts['metric']}` | `{files.get(t, 'own')}` | {_LICENCES.get(facts['family'], 'own')} |"
        for t, facts in config["tables"].items()
    ]
    lines += [
        "", "## Families left out", "",
        "Rank correlation on each table of the prior that has seen neither its family nor relatives, with its training sample as pool; the share of",
        f"that sample and {PARTS} slices of it for which the correlation was foretold within 0.15.", "",
        "| table | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|",
    ]  # fmt: skip
    lines += [
        f"| {t} | " + " | ".join(f"{row.get(c, float('nan')):.3f}" for c in columns) + " |" for t, row in left.items()
    ]
    lines += [
        "",
        f"Evidence for what is expected: {', '.join(EVIDENCE)}. Seed {config['card']['seed']}, digest `{config['card']['digest']}`.",
        "",
    ]
    return "\n".join(lines)


_LICENCES = {
    "nb101": "Apache-2.0", "nb201": "MIT", "nb301": "Apache-2.0", "mobilenetv3": "Apache-2.0", "mnasnet": "Apache-2.0", "natssize": "MIT",
    "transnas": "MIT", "autoformer": "Apache-2.0", "metaqnn": "MIT", "naap440": "MIT", "timm": "Apache-2.0",
}  # fmt: skip
