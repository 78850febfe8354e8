"""The kernels that the predictor averages over."""

from __future__ import annotations

from cg_predict.gp import Structure

#: Kernels that are averaged over: descriptors weighted by what mattered in other families, their half-whitened components, counts of neighbourhoods, vectors of
#: the encoder; with the score without labels as a mean and without it, for it may mislead.
STRUCTURES = (
    Structure(("descriptors", "components", "embedding"), mean=True),
    Structure(("descriptors", "neighbourhoods"), mean=True),
    Structure(("descriptors", "embedding", "neighbourhoods")),
    Structure(("embedding",), mean=True),
    Structure(("embedding",)),
)
#: Where labelled networks were picked for being good, kernels of vectors alone stay out: they tell the best from each other less well; more others take part,
#: for the few that a search has left to tell apart lie where any single one may be wrong.
SELECTED = (
    *STRUCTURES[:3],
    Structure(("descriptors", "embedding"), mean=True),
    Structure(("descriptors", "components")),
    Structure(("descriptors",), mean=True),
    Structure(("descriptors", "components", "embedding", "neighbourhoods")),
    Structure(("components", "neighbourhoods"), mean=True),
    Structure(("descriptors", "components", "neighbourhoods"), mean=True),
)
