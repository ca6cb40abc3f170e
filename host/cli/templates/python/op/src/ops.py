"""The op `{{op}}`."""

from dynhost import op


@op
def {{op}}(text: str) -> int:
    """Counts the words of a text."""
    return len(text.split())
