"""The interface `dynhost:op` as plain Python data: what the guest translates and what tests look at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Union

from .value import Value


@dataclass
class InputDefinition:
    """What an op takes under one name. `schema` is JSON Schema text; none for bytes of any media type."""

    name: str
    description: str
    required: bool
    collected: bool
    schema: str | None


@dataclass
class OutputDefinition:
    """What an op gives under one name. `schema` is JSON Schema text; none for bytes of any media type."""

    name: str
    description: str
    required: bool
    dynamic: bool
    schema: str | None


@dataclass
class OpDefinition:
    """One op of a component."""

    name: str
    description: str
    inputs: list[InputDefinition]
    outputs: list[OutputDefinition]
    config_schema: str | None


@dataclass
class Element:
    """One element of a collected input."""

    mapping_key: str
    value: Value


class Pull(Protocol):
    """A collected input, as the host gives it."""

    def len(self) -> int: ...
    def next(self, max: int) -> list[Element]: ...
    def failed_keys(self) -> list[str]: ...


Input = Union[Value, list[Value], Pull, None]
"""One value, several, elements to be pulled, or none."""


@dataclass
class RawOutput:
    """One output. `mapping_key` is present exactly when the output is dynamic."""

    name: str
    mapping_key: str | None
    value: Value


class Host(Protocol):
    """What an op can ask of its host."""

    def emit(self, output: RawOutput) -> None:
        """Gives one output now. Raises `EmitError`."""

    def run_id(self) -> str: ...
    def step_key(self) -> str: ...
    def mapping_keys(self) -> list[str]: ...
    def attempt(self) -> int: ...
    def config(self) -> str: ...
    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None: ...
    def progress(self, done: int, total: int | None) -> None: ...


_host: Host | None = None


def host() -> Host:
    """The host of this step."""
    if _host is None:
        raise RuntimeError("there is no host here: run the op with `dynhost.testing.run`")
    return _host


def replace_host(new: Any) -> Any:
    """Sets the host, and gives the one before."""
    global _host
    before, _host = _host, new
    return before
