"""Mapping keys: what they may be, and how to make one out of any text."""

from __future__ import annotations

import re
import unicodedata

MAX_KEY_BYTES = 255
_DIGEST_DIGITS = 16
_LOOKS_MADE = re.compile(rf"~[0-9a-fA-F]{{{_DIGEST_DIGITS}}}\Z")


def check_mapping_key(key: str) -> str | None:
    """What is wrong with a mapping key, or nothing."""
    if not key:
        return "it is empty"
    size = len(key.encode())
    if size > MAX_KEY_BYTES:
        return f"it has {size} bytes, {MAX_KEY_BYTES} are allowed"
    for c in key:
        if _is_forbidden(c):
            return f"it contains {c!r}"
    return None


def mapping_key(text: str) -> str:
    """A valid mapping key for any text, and another one for another text.

    A text that is a valid key is its own key. In any other, what is not allowed becomes `_`, what is too long
    is cut, and a digest of the whole text follows: `mapping_key("a[1]")` is `a_1_~365a13837e7270c3`.
    """
    if check_mapping_key(text) is None and not _LOOKS_MADE.search(text):
        return text
    room = MAX_KEY_BYTES - _DIGEST_DIGITS - 1
    key, size = "", 0
    for c in text:
        c = "_" if _is_forbidden(c) else c
        size += len(c.encode())
        if size > room:
            break
        key += c
    return f"{key}~{_digest(text.encode()):016x}"


def _is_forbidden(c: str) -> bool:
    return c in "[]" or unicodedata.category(c) == "Cc"


def _digest(data: bytes) -> int:
    # FNV-1a, 64 bits, as in the other SDKs: the same text has the same key in every language.
    digest = 0xCBF29CE484222325
    for byte in data:
        digest = (digest ^ byte) * 0x0000_0100_0000_01B3 & 0xFFFF_FFFF_FFFF_FFFF
    return digest
