"""The registered ops as the exports of a component. Only a component imports this."""

from __future__ import annotations

# `datetime.strptime` imports this when it is first called, which is too late in a component.
import _strptime  # noqa: F401
import io
import linecache
import sys
import time

from componentize_py_types import Err
from wit_world.exports import op as wit_op
from wit_world.imports import outputs, step, types

from .failure import Cancelled, EmitError, Failure
from .op import registered
from .raw import Element, RawOutput, replace_host
from .value import Value


class Op:
    """The exported interface `op`."""

    def describe(self) -> list[types.OpDefinition]:
        return [_definition(op.definition()) for op in registered.values()]

    def run(self, op: str, inputs: list) -> list[types.Output]:
        _begin()
        if op not in registered:
            names = ", ".join(registered)
            failure = Failure.permanent(f"this component has no op `{op}`; its ops are {names}")
            raise Err(_failure(failure))
        try:
            given = registered[op].run([(name, _input(value)) for name, value in inputs])
            return [_output(output) for output in given]
        except Failure as failure:
            raise Err(_failure(failure)) from None
        finally:
            sys.stdout.flush()
            sys.stderr.flush()


class _Host:
    """The imported interfaces."""

    def emit(self, output: RawOutput) -> None:
        try:
            outputs.emit(_output(output))
        except Err as refused:
            raise _emit_error(refused.value) from None

    run_id = staticmethod(step.run_id)
    step_key = staticmethod(step.step_key)
    mapping_keys = staticmethod(step.mapping_keys)
    attempt = staticmethod(step.attempt)
    config = staticmethod(step.config)

    def log(self, level: str, message: str, fields: list[tuple[str, str]]) -> None:
        fields = [(_text(name), _text(value)) for name, value in fields]
        step.log(_LEVELS[level], _text(message), fields)

    def progress(self, done: int, total: int | None) -> None:
        step.progress(done, total)


_LEVELS = {level.name.lower(): level for level in step.Level}
_EMIT_ERRORS = {
    outputs.EmitError_UnknownOutput: "the op's definition has no output of this name",
    outputs.EmitError_MissingKey: "the output is dynamic and was given without a mapping key",
    outputs.EmitError_UnexpectedKey: "the output is not dynamic and was given with a mapping key",
    outputs.EmitError_InvalidKey: "the mapping key is malformed: {}",
    outputs.EmitError_DuplicateKey: "the mapping key `{}` was already given",
    outputs.EmitError_DuplicateOutput: "the output was already given",
    outputs.EmitError_TooLarge: "the value is larger than {} bytes",
}


def _emit_error(error: outputs.EmitError) -> EmitError:
    if isinstance(error, outputs.EmitError_Cancelled):
        return Cancelled("the run is being cancelled")
    return EmitError(_EMIT_ERRORS[type(error)].format(getattr(error, "value", "")))


class _Pull:
    """A collected input."""

    def __init__(self, handle) -> None:
        self._handle = handle

    def len(self) -> int:
        return self._handle.len()

    def next(self, max: int) -> list[Element]:
        return [Element(e.mapping_key, _value(e.value)) for e in self._handle.next(max)]

    def failed_keys(self) -> list[str]:
        return self._handle.failed_keys()


def _input(value):
    match value:
        case wit_op.InputValue_Single():
            return _value(value.value)
        case wit_op.InputValue_Many():
            return [_value(one) for one in value.value]
        case wit_op.InputValue_Collected():
            return _Pull(value.value)
    return None


def _value(value: types.Value) -> Value:
    return Value(bytes(value.data), value.media_type)


def _to_value(value: Value) -> types.Value:
    return types.Value(_text(value.media_type), value.data)


def _output(output: RawOutput) -> types.Output:
    return types.Output(output.name, output.mapping_key, _to_value(output.value))


def _failure(failure: Failure) -> types.Failure:
    detail = None if failure.detail is None else _to_value(failure.detail)
    words = types.FailureDetail(_text(failure.message), detail)
    if failure.retry == "after":
        return types.Failure_RetryAfter((words, failure.delay_ms))
    if failure.retry == "allowed":
        return types.Failure_Transient(words)
    return types.Failure_Permanent(words)


def _definition(op) -> types.OpDefinition:
    return types.OpDefinition(
        op.name,
        op.description,
        [types.InputDefinition(**vars(port)) for port in op.inputs],
        [types.OutputDefinition(**vars(port)) for port in op.outputs],
        op.config_schema,
    )


def _text(text: str) -> str:
    # A lone surrogate has no UTF-8, and would end the step with a trap.
    return text.encode(errors="replace").decode()


class _Lines(io.TextIOBase):
    """What is printed, as messages of the step's log: without WASI there is nothing else to print to."""

    in_a_step = False

    def __init__(self, level: str, before: io.TextIOBase) -> None:
        self._level = level
        self._before = before
        self._begun = ""

    def writable(self) -> bool:
        return True

    def write(self, text: str) -> int:
        if not _Lines.in_a_step:
            # The component is being built.
            return self._before.write(text)
        *lines, self._begun = (self._begun + text).split("\n")
        for line in lines:
            _HOST.log(self._level, line, [])
        return len(text)

    def flush(self) -> None:
        if not _Lines.in_a_step:
            self._before.flush()
        elif self._begun:
            _HOST.log(self._level, self._begun, [])
            self._begun = ""


_HOST = _Host()


class _TooLate:
    """Stands where Python looks for files, which a step has not: without it, looking would end the step."""

    @staticmethod
    def find_spec(name, path=None, target=None):
        words = f"`{name}` is imported too late: a step has no files, so import it at the top of a module"
        raise ModuleNotFoundError(words, name=name)


class _Clock:
    """Time where there is no WASI: it begins at a fixed point and goes on by a microsecond with every look at it."""

    def __init__(self) -> None:
        self._now = 946_684_800_000_000_000  # The start of the year 2000, as on the host's virtual clock.

    def look(self) -> int:
        self._now += 1000
        return self._now

    def sleep(self, seconds: float, /) -> None:
        self._now += max(0, int(seconds * 1e9))


def prepare(*, wasi: bool) -> None:
    """Replaces what modules with ops may keep hold of, before they are imported."""
    sys.stdout, sys.stderr = _Lines("info", sys.stdout), _Lines("warn", sys.stderr)
    if not wasi:
        clock = _Clock()
        for name in ("time", "monotonic", "perf_counter"):
            setattr(time, name, lambda: clock.look() / 1e9)
            setattr(time, f"{name}_ns", clock.look)
        time.sleep = clock.sleep


def serve() -> type[Op]:
    """What the component exports, once the modules with its ops are imported."""
    if not registered:
        raise RuntimeError("no op is declared: put `@op` before a function")
    return Op


def _begin() -> None:
    # Not earlier: while the component is built there is no host to print to, and modules are still imported.
    replace_host(_HOST)
    _Lines.in_a_step = True
    finders = [finder for finder in sys.meta_path if getattr(finder, "__name__", "") != "PathFinder"]
    sys.meta_path[:] = [*finders, _TooLate]
    # A traceback shows the lines that were read when the component was built, and looks for no others.
    linecache.checkcache = lambda filename=None: None
    linecache.updatecache = lambda filename, module_globals=None: []
