"""Reading the digit strings in which the MBConv spaces write their choices."""

from __future__ import annotations

from cg_ir import ArchError


def read_digits(space: str, what: str, text: str, length: int, allowed: str, form: str) -> tuple[int, ...]:
    """One digit a position.

    Args:
        space: name of the space, for messages.
        what: what the digits are, in the plural.
        text: the digits.
        length: how many there should be.
        allowed: the digits that may occur.
        form: what the whole architecture looks like.

    Raises:
        ArchError: another number of digits, or one that is not allowed.
    """
    if len(text) != length:
        raise ArchError(f"{space}: {length} {what} expected, not {len(text)}; an architecture looks like {form}")
    for place, digit in enumerate(text, 1):
        if digit not in allowed:
            raise ArchError(f"{space}: {what} are {', '.join(allowed)}, not {digit!r} (position {place})")
    return tuple([ord(digit) - 48 for digit in text])
