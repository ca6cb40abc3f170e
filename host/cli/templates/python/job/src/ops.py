"""The ops of the job `{{name}}`."""

from collections.abc import Iterator

from dynhost import Collected, DynamicOutput, op


@op
def split(text: str) -> Iterator[DynamicOutput[str]]:
    """Splits a text into lines, one dynamic output for each."""
    for n, line in enumerate(text.splitlines()):
        # Clones start now; the op waits here while they are busy.
        yield DynamicOutput(line, mapping_key=f"line_{n}")


@op
def measure(line: str) -> int:
    """Counts the words of one line."""
    return len(line.split())


@op
def total(counts: Collected[int]) -> int:
    """Adds up what was measured, pulling one batch after the other."""
    return sum(counts)
