"""The plugin of the tutorial is installed and tested by `tests/test_guides.py`, not from here."""

collect_ignore = ["cg-layers"]
