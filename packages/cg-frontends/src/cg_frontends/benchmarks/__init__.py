"""Readers of label tables: the benchmarks' official files, the formats that labels are passed around in, and plain CSV.

Nothing that a user hands over is unpickled: official files that are pickles go through :mod:`cg_frontends.benchmarks.pickles`.
"""
