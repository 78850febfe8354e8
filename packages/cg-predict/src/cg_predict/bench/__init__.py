"""The benchmark harness: ``cg bench transfer`` ranks every family from labels of the others and a few of its own."""
