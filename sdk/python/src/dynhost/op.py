"""Functions as ops: what their signatures declare, and how they are run."""

from __future__ import annotations

import functools
import inspect
import json
import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, ParamSpec, TypeVar, Union, overload

from .collected import Collected
from .failure import Failure, from_exception, remember_source
from .form import Form, form_of, schema_of, without_description
from .outputs import DynamicOut, DynamicOutput, Out, Output
from .raw import Input, InputDefinition, OpDefinition, OutputDefinition, RawOutput, host
from .value import BYTES, JSON, Value

P = ParamSpec("P")
R = TypeVar("R")
_NAME = re.compile(r"[a-z][a-z0-9_-]{0,63}")
_DATA = (Value, bytes)

registered: dict[str, Op[Any, Any]] = {}
"""Every op by its name, in the order of declaration: what the component offers."""


class Op(Generic[P, R]):
    """A function that is an op. It can still be called."""

    def __init__(
        self, function: Callable[P, R], name: str | None, description: str | None, out: Any
    ) -> None:
        self.function = function
        self.name = _checked(name or function.__name__, "op")
        doc = inspect.getdoc(function) if description is None else description
        self.description = (doc or "").strip()
        functools.update_wrapper(self, function)
        hints = typing.get_type_hints(function, include_extras=True)
        try:
            self._declare(hints, out)
        except TypeError as error:
            raise TypeError(f"op `{self.name}`: {error}") from None

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.function(*args, **kwargs)

    def _declare(self, hints: dict[str, Any], out: Any) -> None:
        self.inputs: list[_Input] = []
        self.config: Form | None = None
        self._config_default: Any = inspect.Parameter.empty
        for name, parameter in inspect.signature(self.function).parameters.items():
            if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
                raise TypeError(f"`*{name}` cannot be an input: an op has each input by its name")
            hint = hints.get(name, Any)
            if name == "config":
                self.config = form_of(hint)
                self._config_default = parameter.default
            else:
                self.inputs.append(_Input(name, hint, parameter.default))
        outs = _outs(out, hints.get("return", Any))
        if out is None and inspect.isgeneratorfunction(self.function):
            if not any(isinstance(o, DynamicOut) for o in outs):
                raise TypeError("it yields: say what, as in `@op(out=DynamicOut(int))`")
        self.outputs = [_Output(o) for o in outs]
        names = [o.name for o in self.outputs]
        if len(set(names)) < len(names):
            raise TypeError(f"two outputs have the same name: {', '.join(names)}")

    def definition(self) -> OpDefinition:
        """What it takes and gives."""
        return OpDefinition(
            self.name,
            self.description,
            [i.definition() for i in self.inputs],
            [o.definition() for o in self.outputs],
            None if self.config is None else json.dumps(schema_of(self.config)),
        )

    def run(self, inputs: list[tuple[str, Input]]) -> list[RawOutput]:
        """Runs it as a host does. Outputs that were not emitted are returned. Raises `Failure`."""
        try:
            result = self.function(**self._arguments(dict(inputs)))  # type: ignore[call-arg]
            if isinstance(result, Iterator):
                result = self._emit_all(result)
                if result is None:
                    return []
                return self._returned(result, [o for o in self.outputs if not o.dynamic])
            return self._returned(result, self.outputs)
        except (Exception, SystemExit) as error:
            raise from_exception(error) from None

    def _arguments(self, inputs: dict[str, Input]) -> dict[str, Any]:
        arguments = {}
        for parameter in self.inputs:
            try:
                arguments[parameter.name] = parameter.take(inputs.get(parameter.name))
            except ValueError as error:
                raise Failure.permanent(f"input `{parameter.name}`: {error}") from None
        if self.config is not None:
            arguments["config"] = self._configuration(self.config)
        return arguments

    def _configuration(self, form: Form) -> Any:
        given = json.loads(host().config())
        if given is None and self._config_default is not inspect.Parameter.empty:
            return self._config_default
        try:
            return form.read(given)
        except ValueError as error:
            if given is None:
                try:
                    return form.read({})
                except ValueError:
                    pass
            raise Failure.permanent(f"config: {error}") from None

    def _emit_all(self, items: Iterator[Any]) -> Any:
        while True:
            try:
                item = next(items)
            except StopIteration as end:
                return end.value
            host().emit(self._one(item))

    def _one(self, item: Any) -> RawOutput:
        if not isinstance(item, (Output, DynamicOutput)):
            raise TypeError(
                f"op `{self.name}` yields a `{type(item).__name__}`; what is yielded is an "
                "`Output(value, output_name)` or a `DynamicOutput(value, mapping_key=…)`"
            )
        dynamic = isinstance(item, DynamicOutput)
        name = item.output_name
        if name is None:
            fitting = [o for o in self.outputs if o.dynamic == dynamic] or self.outputs
            if len(fitting) != 1:
                names = ", ".join(f"`{o.name}`" for o in fitting)
                raise TypeError(f"op `{self.name}` must say which output it gives: {names}")
            name = fitting[0].name
        key = str(item.mapping_key) if isinstance(item, DynamicOutput) else None
        declared = next((o for o in self.outputs if o.name == name), None)
        # The host says what is wrong with an output that is not declared.
        value = declared.value(item.value) if declared else Value.of(None)
        return RawOutput(name, key, value)

    def _returned(self, result: Any, outputs: list[_Output]) -> list[RawOutput]:
        if isinstance(result, (Output, DynamicOutput)):
            return [self._one(result)]
        if len(outputs) == 1:
            return list(self._given(outputs[0], result))
        if not outputs:
            if result is not None:
                raise TypeError(f"op `{self.name}` has no output, and returns {result!r:.80}")
            return []
        if isinstance(result, dict):
            unknown = [name for name in result if name not in {o.name for o in outputs}]
            if unknown:
                raise TypeError(f"op `{self.name}` has no output `{unknown[0]}`")
            return [one for o in outputs if o.name in result for one in self._given(o, result[o.name])]
        if isinstance(result, tuple) and len(result) == len(outputs):
            return [one for o, part in zip(outputs, result) for one in self._given(o, part)]
        if isinstance(result, list) and all(isinstance(x, (Output, DynamicOutput)) for x in result):
            return [self._one(item) for item in result]
        names = ", ".join(o.name for o in outputs)
        raise TypeError(f"op `{self.name}` must return a tuple or a dict of its outputs: {names}")

    def _given(self, output: _Output, value: Any) -> Iterable[RawOutput]:
        if isinstance(value, Output):
            value = value.value
        if value is None and (output.dynamic or not output.required):
            return
        if not output.dynamic:
            yield RawOutput(output.name, None, output.value(value))
            return
        if not isinstance(value, Iterable):
            raise TypeError(f"output `{output.name}` is dynamic: return a list of `DynamicOutput`")
        for item in value:
            if not isinstance(item, DynamicOutput):
                raise TypeError(
                    f"output `{output.name}` is dynamic, and an element is a `{type(item).__name__}`, "
                    "not a `DynamicOutput(value, mapping_key=…)`"
                )
            yield RawOutput(output.name, str(item.mapping_key), output.value(item.value))


class _Input:
    def __init__(self, name: str, hint: Any, default: Any) -> None:
        self.name = _checked(name, "input")
        hint, self.description = without_description(hint)
        hint, self.optional = _without_none(hint)
        self.required = default is inspect.Parameter.empty and not self.optional
        self._default = None if default is inspect.Parameter.empty else default
        origin, args = typing.get_origin(hint), typing.get_args(hint)
        self.collected = origin is Collected or hint is Collected
        self._several = origin is list
        self._type = (args[0] if args else Any) if self.collected or self._several else hint
        self._form = None if self._type in _DATA else form_of(self._type)

    def definition(self) -> InputDefinition:
        schema = None
        if self._form is not None:
            schema = json.dumps(schema_of(self._whole()))
        return InputDefinition(self.name, self.description, self.required, self.collected, schema)

    def _whole(self) -> Form:
        assert self._form is not None
        return form_of(list[self._type]) if self._several else self._form  # type: ignore[name-defined]

    def take(self, given: Input) -> Any:
        if given is None:
            if self.required:
                raise ValueError("it is required, and the job gives nothing for it")
            return self._default
        if self.collected != (not isinstance(given, (Value, list))):
            says, does = ("", " not") if self.collected else (" not", "")
            raise ValueError(f"it is{says} declared as collected, and the host does{does} give it so")
        if self.collected:
            return Collected(typing.cast(Any, given), self._read)
        if isinstance(given, list):
            if self._several:
                return [self._element(n, value) for n, value in enumerate(given)]
            # Several JSON values for an input that takes a list of them, such as a tuple or any JSON.
            whole = [value.json() for value in given]
            return whole if self._form is None else self._form.read(whole)
        value = typing.cast(Value, given)
        if self.optional and value.is_json and value.data == b"null":
            return None
        if self._several:
            return [self._read(value)] if self._form is None else self._whole().read(value.json())
        return self._read(value)

    def _element(self, n: int, value: Value) -> Any:
        try:
            return self._read(value)
        except ValueError as error:
            raise ValueError(f"element {n}: {error}") from None

    def _read(self, value: Value) -> Any:
        if self._type is Value:
            return value
        if self._type is bytes:
            return value.data
        assert self._form is not None
        return self._form.read(value.json())


class _Output:
    def __init__(self, out: Out) -> None:
        self.name = _checked(out.name or "result", "output")
        hint, self.description = without_description(out.type)
        self.description = out.description or self.description
        hint, optional = _without_none(hint)
        self.required = out.required and not optional
        self.dynamic = isinstance(out, DynamicOut)
        self._form = None if hint in _DATA else form_of(hint)

    def definition(self) -> OutputDefinition:
        schema = None if self._form is None else json.dumps(schema_of(self._form))
        return OutputDefinition(self.name, self.description, self.required, self.dynamic, schema)

    def value(self, given: Any) -> Value:
        if isinstance(given, Value):
            if self._form is not None and not given.is_json:
                raise Failure.permanent(
                    f"output `{self.name}`: it is `{given.media_type}`, and its type says JSON"
                )
            return given
        if self._form is None:
            if isinstance(given, (bytes, bytearray, memoryview)):
                return Value(bytes(given), BYTES)
            return Value.of(given)
        try:
            # Not `Value.of`, which would say less about where the mistake is.
            text = json.dumps(
                self._form.write(given), ensure_ascii=False, allow_nan=False, separators=(",", ":")
            )
            return Value(text.encode(), JSON)
        except ValueError as error:
            raise Failure.permanent(f"output `{self.name}`: {error}") from None


def _outs(out: Any, returned: Any) -> list[Out]:
    """The declared outputs; what is not declared is read from the type of what the function returns."""
    if out is None:
        return _returned_outs(returned)
    if isinstance(out, dict):
        outs = [_named(o, name) for name, o in out.items()]
    elif isinstance(out, (list, tuple)):
        outs = [o if isinstance(o, Out) else Out(o) for o in out]
    else:
        outs = [out if isinstance(out, Out) else Out(out)]
        if outs[0].type is Any:
            hinted = _returned_outs(returned)
            if hinted:
                outs = [_with_type(outs[0], hinted[0].type)]
    return outs


def _named(out: Any, name: str) -> Out:
    one: Out = out if isinstance(out, Out) else Out(out)
    return type(one)(one.type, name, one.description, one.required)


def _with_type(out: Out, hint: Any) -> Out:
    return type(out)(hint, out.name, out.description, out.required)


def _returned_outs(hint: Any) -> list[Out]:
    if hint is type(None):
        return []
    bare, description = without_description(hint)
    args = typing.get_args(bare)
    element = args[0] if args else None
    if typing.get_origin(element) is DynamicOutput:
        return [DynamicOut(typing.get_args(element)[0], description=description)]
    if element is DynamicOutput:
        return [DynamicOut(Any, description=description)]
    return [Out(bare, description=description)]


def _without_none(hint: Any) -> tuple[Any, bool]:
    if typing.get_origin(hint) not in (Union, types.UnionType):
        return hint, False
    args = typing.get_args(hint)
    rest = tuple(arg for arg in args if arg is not type(None))
    if len(rest) == len(args):
        return hint, False
    return functools.reduce(lambda a, b: Union[a, b], rest), True


def _checked(name: str, what: str) -> str:
    if not _NAME.fullmatch(name):
        raise TypeError(
            f"`{name}` cannot be the name of an {what}: a lower-case letter, then lower-case letters, "
            "digits, `_` or `-`, 64 bytes at most"
        )
    return name


@overload
def op(function: Callable[P, R]) -> Op[P, R]: ...
@overload
def op(
    *, name: str | None = None, description: str | None = None, out: Any = None
) -> Callable[[Callable[P, R]], Op[P, R]]: ...


def op(
    function: Callable[..., Any] | None = None,
    *,
    name: str | None = None,
    description: str | None = None,
    out: Any = None,
) -> Any:
    """Makes an op of a function.

    Its name and docstring are the op's; its parameters are the inputs, and the one called `config`, if there
    is one, is the configuration. `out` says what it gives: a type, an `Out`, a `DynamicOut`, or a dict of these
    by name. Without it, what the function returns is the output `result`.
    """
    if function is None:
        return lambda function: _register(Op(function, name, description, out))
    return _register(Op(function, name, description, out))


def _register(new: Op[P, R]) -> Op[P, R]:
    old = registered.get(new.name)
    if old is not None and (old.__module__, old.__qualname__) != (new.__module__, new.__qualname__):  # type: ignore[attr-defined]
        raise TypeError(f"there are two ops `{new.name}`: in {old.__module__} and in {new.__module__}")
    registered[new.name] = new
    remember_source(new.function.__code__.co_filename)
    return new
