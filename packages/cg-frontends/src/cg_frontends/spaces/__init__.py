"""Search spaces: families of networks, each named by a printable string.

:mod:`~cg_frontends.spaces.blocks` holds the building blocks that they share, :mod:`~cg_frontends.spaces.fragments` the means to build a
block once and tile it.
"""
