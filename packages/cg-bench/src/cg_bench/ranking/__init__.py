"""``cg bench transfer``: every family ranked from labels of the others and a few of its own."""
