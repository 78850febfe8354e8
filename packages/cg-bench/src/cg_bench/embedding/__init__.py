"""``cg bench embedding``: what learned vectors add to descriptors and prior, and what training adds to random weights."""
