"""Search spaces: families of networks, each named by a printable string.

:mod:`~cg_frontends.spaces.blocks` holds the building blocks that they share, :mod:`~cg_frontends.spaces.fragments` the means to build a
block once and tile it. A module that holds a space names its class as ``SPACE``, by which :mod:`cg_frontends.plugin` finds it.
"""
