"""Text from outside, made fit for people's eyes."""

from __future__ import annotations

import re

#: Control characters, those that turn the direction of writing, halves of surrogate pairs: a terminal would act on them.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """A text for people, without what a terminal would act on: escapes stand for control characters, line breaks and tabs stay."""
    return _UNPRINTABLE.sub(lambda found: ascii(found[0])[1:-1], text)
