"""The ops that every SDK implements, so that one suite can try them all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Literal, Optional, TypedDict

from dynhost import Collected, DynamicOut, DynamicOutput, Failure, Out, Value, context, log, op, progress


Any = Annotated[Value, "Bytes of any media type."]
Text = Annotated[str, "A text."]


@op
def echo(value: Any) -> Annotated[Value, "The same bytes."]:
    """Gives the value back as it is, of any media type."""
    return value


@op(out=DynamicOut(str, name="line", description="One line."))
def split(text: Text) -> Iterator[DynamicOutput[str]]:
    """Splits a text into lines and gives each as soon as it is found."""
    for n, line in enumerate(lines(text)):
        yield DynamicOutput(line, mapping_key=f"line_{n}")


def lines(text: str) -> list[str]:
    """What line feeds end; what follows the last one is a line if it is not empty."""
    *ended, last = text.split("\n")
    return [*ended, last] if last else ended


@op(out=DynamicOut(str, name="word", description="One word."))
def words(text: Text) -> list[DynamicOutput[str]]:
    """Gives the words of a text, all at the end."""
    found = text.translate({ord(c): " " for c in "\t\n\f\r"}).split(" ")
    return [DynamicOutput(word, mapping_key=str(n)) for n, word in enumerate(filter(None, found))]


@op
def length(text: Text) -> Annotated[int, "How many there are."]:
    """Counts the Unicode code points of a text."""
    return len(text)


@dataclass
class Join:
    separator: Annotated[str, "What stands between two texts."] = " "


@op
def join(
    texts: Annotated[Collected[str], "What is joined, in this order."], config: Join
) -> Annotated[str, "The whole text."]:
    """Joins texts, pulling them one batch after the other."""
    return config.separator.join(texts)


@op(out=Out(int, name="half", description="Half of the number, where that is a whole number.", required=False))
def half(n: Annotated[int, "A whole number."]) -> Optional[int]:
    """Halves an even number, and gives nothing for an odd one."""
    return n // 2 if n % 2 == 0 else None


@dataclass
class Fail:
    kind: Annotated[Literal["permanent", "transient", "retry_after"], "How to fail."] = "permanent"
    until: Annotated[Optional[int], "The last attempt that fails; all of them where it is not given."] = None
    delay_ms: Annotated[int, "How long to wait before the next attempt, for `retry_after`."] = 0


@op
def fail(value: Any, config: Fail) -> Annotated[int, "The number of the attempt that succeeds."]:
    """Fails as it is asked to, and gives the number of the attempt once it may succeed."""
    attempt = context().attempt
    if config.until is not None and attempt > config.until:
        return attempt
    message = f"attempt {attempt} was asked to fail"
    if config.kind == "permanent":
        raise Failure.permanent(message)
    if config.kind == "transient":
        raise Failure.transient(message)
    raise Failure.retry_after(message, config.delay_ms)


class Place(TypedDict):
    step: str
    keys: list[str]
    attempt: int


@op
def tell(value: Any) -> Annotated[Place, "The step, its mapping keys and its attempt."]:
    """Writes to the log at each level, says how far it is, and gives where it stands in the run."""
    for level in ("trace", "debug", "info", "warn", "error"):
        getattr(log, level)(f"{level} message", language="python")
    progress(1, 2)
    at = context()
    return {"step": at.step_key, "keys": at.mapping_keys, "attempt": at.attempt}
