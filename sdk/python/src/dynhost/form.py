"""How Python types look in JSON: their schema, and reading and writing their values."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from typing import Annotated, Any, Literal, Union

Json = Any
Defs = dict[str, Any]


class Unfit(ValueError):
    """A value that is not of its type."""

    def __init__(self, expected: str, found: Any, path: str) -> None:
        at = f" at `{path}`" if path else ""
        super().__init__(f"{expected} was expected{at}, and it is {kind(found)}")


class Form:
    """How one type looks in JSON."""

    expected = "a value"

    def schema(self, defs: Defs) -> Json:
        """The JSON Schema; named types go into `defs`."""
        return {}

    def read(self, found: Json, path: str = "") -> Any:
        """A value of the type. Raises `Unfit`."""
        return found

    def write(self, value: Any, path: str = "") -> Json:
        """The JSON of a value of the type. Raises `Unfit`."""
        return self.read(value, path)


class Anything(Form):
    def write(self, value: Any, path: str = "") -> Json:
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return form_of(type(value)).write(value, path)
        if isinstance(value, enum.Enum):
            return value.value
        if isinstance(value, dict):
            return {str(k): self.write(v, f"{path}.{k}") for k, v in value.items()}
        if isinstance(value, (list, tuple)):
            return [self.write(v, f"{path}[{n}]") for n, v in enumerate(value)]
        if value is None or isinstance(value, (str, int, float)):
            return value
        raise Unfit("a value with a JSON form", value, path)


class Scalar(Form):
    def __init__(self, expected: str, schema: Json, *accepted: type) -> None:
        self.expected = expected
        self._schema = schema
        self._accepted = accepted

    def schema(self, defs: Defs) -> Json:
        return dict(self._schema)

    def read(self, found: Json, path: str = "") -> Any:
        if isinstance(found, self._accepted) and (
            not isinstance(found, bool) or bool in self._accepted
        ):
            return found
        raise Unfit(self.expected, found, path)


class Integer(Scalar):
    def read(self, found: Json, path: str = "") -> Any:
        # JSON has one kind of number: `1.0` is an integer too.
        if isinstance(found, float) and found.is_integer():
            return int(found)
        return super().read(found, path)


class Number(Scalar):
    def read(self, found: Json, path: str = "") -> Any:
        return float(super().read(found, path))


class Choice(Form):
    """A `Literal` or an `Enum`."""

    def __init__(self, values: dict[Any, Json]) -> None:
        self._values = values
        self.expected = "one of " + ", ".join(repr(written) for written in values.values())

    def schema(self, defs: Defs) -> Json:
        values = list(self._values.values())
        texts = all(isinstance(value, str) for value in values)
        return {"type": "string", "enum": values} if texts else {"enum": values}

    def read(self, found: Json, path: str = "") -> Any:
        for value, written in self._values.items():
            if type(written) is type(found) and written == found:
                return value
        raise Unfit(self.expected, found, path)

    def write(self, value: Any, path: str = "") -> Json:
        try:
            return self._values[value]
        except (KeyError, TypeError):
            raise Unfit(self.expected, value, path) from None


class ListOf(Form):
    def __init__(self, items: Form, make: Any = list) -> None:
        self.items = items
        self._make = make
        self.expected = "a list"

    def schema(self, defs: Defs) -> Json:
        schema = {"type": "array", "items": self.items.schema(defs)}
        if self._make in (set, frozenset):
            schema["uniqueItems"] = True
        return schema

    def read(self, found: Json, path: str = "") -> Any:
        if not isinstance(found, list):
            raise Unfit(self.expected, found, path)
        return self._make(self.items.read(v, f"{path}[{n}]") for n, v in enumerate(found))

    def write(self, value: Any, path: str = "") -> Json:
        if not isinstance(value, (list, tuple, set, frozenset)):
            raise Unfit(self.expected, value, path)
        ordered = sorted(value) if isinstance(value, (set, frozenset)) else value
        return [self.items.write(v, f"{path}[{n}]") for n, v in enumerate(ordered)]


class TupleOf(Form):
    def __init__(self, items: list[Form]) -> None:
        self._items = items
        self.expected = f"a list of {len(items)} elements"

    def schema(self, defs: Defs) -> Json:
        size = len(self._items)
        items = [item.schema(defs) for item in self._items]
        return {"type": "array", "prefixItems": items, "minItems": size, "maxItems": size}

    def read(self, found: Json, path: str = "") -> Any:
        return tuple(self._each(found, path, "read"))

    def write(self, value: Any, path: str = "") -> Json:
        return self._each(value, path, "write")

    def _each(self, value: Any, path: str, do: str) -> list[Any]:
        if not isinstance(value, (list, tuple)) or len(value) != len(self._items):
            raise Unfit(self.expected, value, path)
        pairs = enumerate(zip(self._items, value))
        return [getattr(item, do)(v, f"{path}[{n}]") for n, (item, v) in pairs]


class MapOf(Form):
    expected = "an object"

    def __init__(self, values: Form) -> None:
        self._values = values

    def schema(self, defs: Defs) -> Json:
        return {"type": "object", "additionalProperties": self._values.schema(defs)}

    def read(self, found: Json, path: str = "") -> Any:
        return self._each(found, path, self._values.read)

    def write(self, value: Any, path: str = "") -> Json:
        return self._each(value, path, self._values.write)

    def _each(self, value: Any, path: str, do: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
            raise Unfit(self.expected, value, path)
        return {key: do(v, f"{path}.{key}") for key, v in value.items()}


class OneOf(Form):
    """A `Union`: the first that fits."""

    def __init__(self, forms: list[Form]) -> None:
        self._forms = forms
        self.expected = " or ".join(form.expected for form in forms)

    def schema(self, defs: Defs) -> Json:
        return {"anyOf": [form.schema(defs) for form in self._forms]}

    def read(self, found: Json, path: str = "") -> Any:
        return self._first(found, path, "read")

    def write(self, value: Any, path: str = "") -> Json:
        return self._first(value, path, "write")

    def _first(self, value: Any, path: str, do: str) -> Any:
        for form in self._forms:
            try:
                return getattr(form, do)(value, path)
            except Unfit:
                continue
        raise Unfit(self.expected, value, path)


class Record(Form):
    """A dataclass or a `TypedDict`: an object with fields."""

    def __init__(self, of: type, name: str) -> None:
        self._of = of
        self.name = name
        self._is_dict = typing.is_typeddict(of)
        self._fields: list[_Field] | None = None
        self.expected = f"an object `{of.__name__}`"

    def fields(self) -> list[_Field]:
        if self._fields is None:
            hints = typing.get_type_hints(self._of, include_extras=True)
            if self._is_dict:
                required: Any = getattr(self._of, "__required_keys__")
                self._fields = [
                    _Field(name, hint, name in required, _NOTHING) for name, hint in hints.items()
                ]
            else:
                self._fields = [
                    _Field(f.name, hints[f.name], *_default(f))
                    for f in dataclasses.fields(self._of)
                    if f.init
                ]
        return self._fields

    def schema(self, defs: Defs) -> Json:
        name = self.name
        if name not in defs:
            defs[name] = {}  # A type that contains itself finds this.
            schema: Json = {"type": "object", "title": self._of.__name__}
            doc = self._of.__doc__
            if doc and not doc.startswith(f"{self._of.__name__}("):
                schema["description"] = " ".join(doc.split())
            schema["properties"] = {f.name: f.schema(defs) for f in self.fields()}
            schema["required"] = [f.name for f in self.fields() if f.required]
            defs[name] = schema
        return {"$ref": f"#/$defs/{name}"}

    def read(self, found: Json, path: str = "") -> Any:
        if not isinstance(found, dict):
            raise Unfit(self.expected, found, path)
        given = {}
        for field in self.fields():
            if field.name in found:
                given[field.name] = field.form.read(found[field.name], f"{path}.{field.name}")
            elif field.required:
                raise Unfit(f"a field `{field.name}`", Missing, path)
        return given if self._is_dict else self._of(**given)

    def write(self, value: Any, path: str = "") -> Json:
        if not isinstance(value, dict if self._is_dict else self._of):
            raise Unfit(self.expected, value, path)
        fields: Any = value
        written = {}
        for field in self.fields():
            if not self._is_dict:
                written[field.name] = field.form.write(
                    getattr(value, field.name), f"{path}.{field.name}"
                )
            elif field.name in fields:
                written[field.name] = field.form.write(fields[field.name], f"{path}.{field.name}")
            elif field.required:
                raise Unfit(f"a field `{field.name}`", Missing, path)
        return written


class Missing:
    """Stands for a field that is not there."""


_NOTHING = object()


def _default(field: dataclasses.Field[Any]) -> tuple[bool, Any]:
    if field.default is not dataclasses.MISSING:
        return False, field.default
    return field.default_factory is dataclasses.MISSING, _NOTHING


class _Field:
    def __init__(self, name: str, hint: Any, required: bool, default: Any) -> None:
        hint, self.description = without_description(hint)
        self.name = name
        self.form = form_of(hint)
        self.required = required
        self.default = default

    def schema(self, defs: Defs) -> Json:
        schema = self.form.schema(defs)
        if self.description:
            schema["description"] = self.description
        if self.default is not _NOTHING:
            schema["default"] = self.form.write(self.default)
        return schema


_SCALARS: dict[Any, Form] = {
    Any: Anything(),
    object: Anything(),
    bool: Scalar("a boolean", {"type": "boolean"}, bool),
    int: Integer("an integer", {"type": "integer"}, int),
    float: Number("a number", {"type": "number"}, int, float),
    str: Scalar("a string", {"type": "string"}, str),
    None: Scalar("null", {"type": "null"}, type(None)),
    type(None): Scalar("null", {"type": "null"}, type(None)),
    list: ListOf(Anything()),
    dict: MapOf(Anything()),
    tuple: ListOf(Anything(), tuple),
    set: ListOf(Anything(), set),
}
_RECORDS: dict[type, Record] = {}


def form_of(hint: Any) -> Form:
    """The form of a type hint. Raises `TypeError` for a type that has none."""
    hint, _ = without_description(hint)
    try:
        if hint in _SCALARS:
            return _SCALARS[hint]
    except TypeError:
        pass
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is not None and getattr(origin, "_name", None) in ("Required", "NotRequired"):
        return form_of(args[0])
    if origin in (Union, types.UnionType):
        return OneOf([form_of(arg) for arg in args])
    if origin is Literal:
        return Choice({arg: arg for arg in args})
    if origin in (list, set, frozenset):
        return ListOf(form_of(args[0]), origin)
    if origin is tuple:
        if len(args) == 2 and args[1] is Ellipsis:
            return ListOf(form_of(args[0]), tuple)
        return TupleOf([form_of(arg) for arg in args])
    if origin is dict and args[0] is str:
        return MapOf(form_of(args[1]))
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return Choice({member: member.value for member in hint})
    if dataclasses.is_dataclass(hint) or typing.is_typeddict(hint):
        return _record(typing.cast(type, hint))
    raise TypeError(
        f"`{getattr(hint, '__name__', hint)}` has no JSON form: take a dataclass, a TypedDict, an Enum, "
        "bool, int, float, str, None, Any, list[…], dict[str, …], or a union of these; or `Value` for bytes"
    )


def _record(of: type) -> Record:
    if of not in _RECORDS:
        same = sum(other.__name__ == of.__name__ for other in _RECORDS)
        _RECORDS[of] = Record(of, f"{of.__name__}{same + 1}" if same else of.__name__)
    return _RECORDS[of]


def without_description(hint: Any) -> tuple[Any, str]:
    """The type in `Annotated[type, "description"]`, and the description."""
    if typing.get_origin(hint) is Annotated:
        hint, *notes = typing.get_args(hint)
        return hint, next((note for note in notes if isinstance(note, str)), "")
    return hint, ""


def schema_of(form: Form) -> Json:
    """The whole JSON Schema of a form."""
    defs: Defs = {}
    schema = form.schema(defs)
    if isinstance(form, Record):
        own = form.name
        schema = dict(defs[own])
        if f'"#/$defs/{own}"' not in json.dumps(defs):
            del defs[own]
    if defs:
        schema["$defs"] = defs
    return schema


def kind(value: Any) -> str:
    """What a value is, in JSON's words."""
    if value is Missing:
        return "missing"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "an integer"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return f"the string {value!r}" if len(value) <= 40 else "a string"
    if isinstance(value, (list, tuple)):
        return f"a list of {len(value)} elements"
    if isinstance(value, dict):
        return "an object"
    return f"a Python `{type(value).__name__}`"
