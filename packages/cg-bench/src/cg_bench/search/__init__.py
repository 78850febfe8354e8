"""``cg bench search``: the algorithms compared on tables, on a model of MobileNetV3, and on real training; what a search itself costs."""
