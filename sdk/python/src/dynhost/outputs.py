"""What an op gives: how it is declared, and the values themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Out:
    """Declares an output: its type, and what the type does not say.

    `name` is `result` where the op has one output and does not say otherwise. An output that is not `required`
    may be missing, and what depends on it is skipped; `Optional[T]` as the type says the same.
    """

    type: Any = Any
    name: str | None = None
    description: str = ""
    required: bool = True


@dataclass(frozen=True)
class DynamicOut(Out):
    """Declares an output that is given any number of times, each time with a mapping key."""


@dataclass(frozen=True)
class Output(Generic[T]):
    """A value for one of several outputs."""

    value: T
    output_name: str | None = None


@dataclass(frozen=True)
class DynamicOutput(Generic[T]):
    """One element of a dynamic output.

    The mapping key names its clone: 1 to 255 bytes without control characters, `[` or `]`, different from all
    others of the same output. `mapping_key(text)` makes one of any text.
    """

    value: T
    mapping_key: str
    output_name: str | None = None
