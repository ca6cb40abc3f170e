"""Running ops on this machine as a host would, without WebAssembly.

    outcome = testing.run(split, text="a\\nb")
    assert outcome.dynamic("result") == [("line_0", "a"), ("line_1", "b")]
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .collected import Collected, Ready
from .failure import EmitError, Failure
from .form import Anything
from .key import check_mapping_key
from .op import Op
from .raw import Element, Input, OpDefinition, RawOutput, replace_host
from .value import Value


class Many(list[Any]):
    """Several values for one input, as a job gives them that collects into a list."""


@dataclass
class Outcome:
    """What became of a step."""

    failure: Failure | None
    """Why it failed, or nothing."""
    outputs: list[RawOutput]
    """What it gave, in order, also where it failed later."""
    emitted: int
    """How many of the outputs were given while the op ran."""
    logs: list[tuple[str, str, dict[str, str]]]
    """Level, message and fields of what it wrote to its log."""
    progress: tuple[int, int | None] | None
    """How far it last said to be, and of how much."""

    def value(self, name: str = "result") -> Value | None:
        """The bytes of an output that is not dynamic, or nothing where it was not given."""
        return next((output.value for output in self._given(name)), None)

    def json(self, name: str = "result") -> Any:
        """The JSON of an output that is not dynamic."""
        value = self.value(name)
        if value is None:
            raise AssertionError(f"output `{name}` was not given")
        return value.json()

    def dynamic(self, name: str = "result") -> list[tuple[str | None, Any]]:
        """The mapping keys and the JSON of a dynamic output, in the order of their emission."""
        return [(output.mapping_key, output.value.json()) for output in self._given(name)]

    def _given(self, name: str) -> list[RawOutput]:
        if self.failure is not None:
            raise AssertionError(f"the step failed: {self.failure}") from self.failure
        return [output for output in self.outputs if output.name == name]


def run(
    op: Op[Any, Any],
    *,
    config: Any = None,
    attempt: int = 1,
    mapping_keys: Sequence[str] = (),
    **inputs: Any,
) -> Outcome:
    """Runs a step of an op under the rules that a host keeps.

    An input is anything with a JSON form, a `Value`, a `Many`, a `Collected`, or `None` for one that is not wired.
    """
    definition = op.definition()
    known = {port.name for port in definition.inputs}
    for name in inputs:
        if name not in known:
            raise TypeError(f"op `{op.name}` has no input `{name}`")
    host = _Step(definition, Anything().write(config), attempt, list(mapping_keys))
    before = replace_host(host)
    failure: Failure | None = None
    emitted = 0
    try:
        given = [(port.name, _input(inputs.get(port.name))) for port in definition.inputs]
        returned = op.run(given)
        emitted = len(host.outputs)
        for output in returned:
            host.emit(output)
        _check_required(definition, host.outputs)
    except Failure as error:
        failure = error
    except EmitError as error:
        failure = Failure.permanent(str(error))
    finally:
        replace_host(before)
    # A violation fails the step, whatever the op made of it.
    failure = host.violation or failure
    return Outcome(failure, host.outputs, emitted, host.logs, host.last_progress)


def _check_required(definition: OpDefinition, outputs: list[RawOutput]) -> None:
    given = {output.name for output in outputs}
    for port in definition.outputs:
        if port.required and not port.dynamic and port.name not in given:
            raise Failure.permanent(f"output `{port.name}` is required and was not given")


def _input(given: Any) -> Input:
    if isinstance(given, Collected):
        return Ready([Element(key, _value(v)) for key, v in given.with_keys()], given.failed_keys())
    if isinstance(given, Many):
        return [_value(one) for one in given]
    return None if given is None else _value(given)


def _value(given: Any) -> Value:
    return given if isinstance(given, Value) else Value.of(Anything().write(given))


@dataclass
class _Step:
    definition: OpDefinition
    configuration: Any
    number: int
    keys: list[str]
    outputs: list[RawOutput] = field(default_factory=list)
    logs: list[tuple[str, str, dict[str, str]]] = field(default_factory=list)
    last_progress: tuple[int, int | None] | None = None
    violation: Failure | None = None
    seen: set[tuple[str, str | None]] = field(default_factory=set)

    def emit(self, output: RawOutput) -> None:
        wrong = self._wrong(output)
        if wrong:
            self.violation = self.violation or Failure.permanent(f"output `{output.name}`: {wrong}")
            raise EmitError(wrong)
        self.seen.add((output.name, output.mapping_key))
        self.outputs.append(output)

    def _wrong(self, output: RawOutput) -> str | None:
        port = next((port for port in self.definition.outputs if port.name == output.name), None)
        if port is None:
            return "the op's definition has no output of this name"
        if not port.dynamic and output.mapping_key is not None:
            return "the output is not dynamic and was given with a mapping key"
        if port.dynamic:
            if output.mapping_key is None:
                return "the output is dynamic and was given without a mapping key"
            wrong = check_mapping_key(output.mapping_key)
            if wrong:
                return f"the mapping key is malformed: {wrong}"
        if (output.name, output.mapping_key) in self.seen:
            if port.dynamic:
                return f"the mapping key `{output.mapping_key}` was already given"
            return "the output was already given"
        return None

    def run_id(self) -> str:
        return "test"

    def step_key(self) -> str:
        return self.definition.name + "".join(f"[{key}]" for key in self.keys)

    def mapping_keys(self) -> list[str]:
        return self.keys

    def attempt(self) -> int:
        return self.number

    def config(self) -> str:
        return json.dumps(self.configuration)

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        self.logs.append((level, message, dict(fields)))

    def progress(self, done: int, total: int | None) -> None:
        self.last_progress = (done, total)
