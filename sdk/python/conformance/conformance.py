"""The ops that every SDK implements, so that one suite can try them all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Literal, Optional, TypedDict

from dynhost import (
    Collected,
    DynamicOut,
    DynamicOutput,
    EmitError,
    Failure,
    Out,
    Output,
    Value,
    context,
    log,
    op,
    progress,
)
from dynhost.raw import RawOutput, host


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
    detail: Annotated[object, "What programs are told of the failure."] = None


@op
def fail(value: Any, config: Fail) -> Annotated[int, "The number of the attempt that succeeds."]:
    """Fails as it is asked to, and gives the number of the attempt once it may succeed."""
    attempt = context().attempt
    if config.until is not None and attempt > config.until:
        return attempt
    message = f"attempt {attempt} was asked to fail"
    if config.kind == "permanent":
        raise Failure.permanent(message, detail=config.detail)
    if config.kind == "transient":
        raise Failure.transient(message, detail=config.detail)
    raise Failure.retry_after(message, config.delay_ms, detail=config.detail)


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


class Taken(TypedDict):
    values: list[int]
    word: Optional[str]


@op
def take(
    values: Annotated[list[int], "Numbers."], word: Annotated[Optional[str], "A word that may be missing."] = None
) -> Annotated[Taken, "What was taken."]:
    """Gives what it takes."""
    return {"values": values, "word": word}


class Census(TypedDict):
    length: int
    keys: list[str]
    failed: list[str]


@op
def census(values: Annotated[Collected[Value], "Anything."]) -> Annotated[Census, "What there is."]:
    """Counts elements, and tells their mapping keys."""
    length, failed = len(values), values.failed_keys()
    return {"length": length, "keys": [key for key, _ in values.with_keys()], "failed": failed}


@dataclass
class Pull:
    max: Annotated[list[int], "How many elements to ask for, one batch after the other."]


@op
def pull(
    values: Annotated[Collected[Value], "Anything."], config: Pull
) -> Annotated[list[list[str]], "The mapping keys of each batch."]:
    """Pulls batches of elements, and tells the mapping keys of each."""
    # An op that iterates does not choose the size of a batch.
    batches = [values._pull.next(max) for max in config.max]
    return [[element.mapping_key for element in batch] for batch in batches]


@dataclass
class Given:
    name: Annotated[str, "The output."]
    key: Annotated[Optional[str], "The mapping key; none where nothing is said."] = None
    media_type: str = "application/json"
    bytes: list[int] = field(default_factory=lambda: [48])


@dataclass
class Emit:
    outputs: list[Given]


@op(
    out={
        "item": DynamicOut(Value, description="An element."),
        "result": Out(Value, description="A value that must be given."),
        "text": Out(str, description="A text that may be given.", required=False),
    }
)
def emit(config: Emit) -> Iterator[Output[Value] | DynamicOutput[Value]]:
    """Emits what it is told to."""
    for given in config.outputs:
        value = Value(bytes(given.bytes), given.media_type)
        if given.key is None:
            yield Output(value, given.name)
        else:
            yield DynamicOutput(value, given.key, given.name)


@op(out=DynamicOut(Value, name="item", description="An element."))
def swallow() -> list[DynamicOutput[Value]]:
    """Emits a mapping key twice, and ignores the answer."""
    for _ in range(2):
        try:
            host().emit(RawOutput("item", "key", Value.of(0)))
        except EmitError:
            pass
    return []


steps = 0


@op
def count(value: Any) -> Annotated[int, "How many, this one included."]:
    """Counts the steps that this instance has run."""
    global steps
    steps += 1
    return steps


@op
def trap(value: Any) -> Annotated[Value, "Never given."]:
    """Traps."""
    os.abort()


@op
def spin(value: Any) -> Annotated[Value, "Never given."]:
    """Computes without end."""
    while True:
        pass


@op
def grow(value: Any) -> Annotated[Value, "Never given."]:
    """Takes memory without end."""
    taken: list[bytearray] = []
    while True:
        taken.append(bytearray(1 << 20))
