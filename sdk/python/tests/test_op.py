"""What a function declares, and how it is run."""

from __future__ import annotations

import enum
import json
import unittest
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, Optional

from dynhost import (
    Collected, DynamicOut, DynamicOutput, Failure, Out, Output, Value, context, log, op, progress, testing,
)


class Unit(enum.Enum):
    METRES = "m"
    FEET = "ft"


@dataclass
class Point:
    """A place on a map."""

    x: float
    y: Annotated[float, "Upwards."] = 0.0


@dataclass
class Track:
    points: list[Point]
    unit: Unit = Unit.METRES
    next: Optional[Track] = None
    tags: dict[str, str] = field(default_factory=dict)


@dataclass
class Scale:
    by: int = 2
    mode: Literal["up", "down"] = "up"


@op
def scale(n: Annotated[int, "What is scaled."], config: Scale) -> int:
    """Scales a number."""
    return n * config.by if config.mode == "up" else n // config.by


@op
def mirror(track: Track) -> Track:
    return track


@op(out=DynamicOut(int))
def count(to: int):
    for n in range(to):
        log.debug("next", n=n)
        yield DynamicOutput(n, mapping_key=f"n{n}")
        progress(n + 1, to)


@op
def load(to: int) -> list[DynamicOutput[int]]:
    return [DynamicOutput(n, mapping_key=str(n)) for n in range(to)]


@op(out={"line": DynamicOut(str), "total": Out(int), "longest": Out(str, required=False)})
def survey(text: str):
    """Gives lines while it runs, and numbers at the end."""
    lines = text.splitlines()
    for n, line in enumerate(lines):
        yield DynamicOutput(line, mapping_key=str(n))
    return len(lines), max(lines, key=len, default=None)


@op(out={"low": int, "high": int})
def ends(values: list[int]) -> tuple[int, int]:
    return min(values), max(values)


@op
def total(sizes: Collected[int]) -> int:
    return sum(sizes)


@op
def keys(sizes: Collected[Any]) -> list[str]:
    return [key for key, _ in sizes.with_keys()] + sizes.failed_keys()


@op
def greet(name: Optional[str] = "world") -> str:
    return f"hello {name}"


@op
def picture(data: bytes) -> Value:
    return Value(data[::-1], "image/x-mirror")


@op
def broken(depth: int) -> int:
    return 1 // depth if depth == 0 else broken.function(depth - 1)


@op(out=DynamicOut(int))
def twice(n: int) -> Iterator[DynamicOutput[int]]:
    yield DynamicOutput(n, mapping_key="same")
    try:
        yield DynamicOutput(n, mapping_key="same")
    except Exception:
        pass


class Definitions(unittest.TestCase):
    def test_a_definition_comes_from_the_signature(self) -> None:
        definition = scale.definition()
        self.assertEqual((definition.name, definition.description), ("scale", "Scales a number."))
        self.assertEqual([i.name for i in definition.inputs], ["n"])
        self.assertEqual(definition.inputs[0].description, "What is scaled.")
        self.assertEqual(json.loads(definition.inputs[0].schema or ""), {"type": "integer"})
        config = json.loads(definition.config_schema or "")
        self.assertEqual(config["properties"]["mode"]["enum"], ["up", "down"])
        self.assertEqual(config["properties"]["by"], {"type": "integer", "default": 2})

    def test_schemas_name_types_that_are_used_again(self) -> None:
        schema = json.loads(mirror.definition().inputs[0].schema or "")
        self.assertEqual(schema["title"], "Track")
        self.assertEqual(schema["required"], ["points"])
        self.assertEqual(schema["properties"]["points"]["items"], {"$ref": "#/$defs/Point"})
        self.assertEqual(schema["properties"]["next"]["anyOf"][0], {"$ref": "#/$defs/Track"})
        point = schema["$defs"]["Point"]
        self.assertEqual(point["description"], "A place on a map.")
        self.assertEqual(point["properties"]["y"]["description"], "Upwards.")

    def test_outputs_are_declared_by_out_or_by_the_result(self) -> None:
        port = load.definition().outputs[0]
        self.assertEqual((port.name, port.dynamic, port.schema), ("result", True, '{"type": "integer"}'))
        ports = survey.definition().outputs
        self.assertEqual([(p.name, p.dynamic, p.required) for p in ports],
                         [("line", True, True), ("total", False, True), ("longest", False, False)])
        self.assertFalse(greet.definition().inputs[0].required)
        self.assertTrue(total.definition().inputs[0].collected)
        self.assertIsNone(picture.definition().inputs[0].schema)

    def test_what_cannot_be_declared_is_refused_with_words(self) -> None:
        with self.assertRaisesRegex(TypeError, "op `bad`: `complex` has no JSON form"):
            op(name="bad")(_takes_complex)
        with self.assertRaisesRegex(TypeError, "`Bad` cannot be the name of an op"):
            op(name="Bad")(_takes_complex)
        with self.assertRaisesRegex(TypeError, "it yields: say what"):
            op(name="bad")(_yields)


def _takes_complex(z: complex) -> int:
    return 0


def _yields(n: int):
    yield n


class Runs(unittest.TestCase):
    def failed(self, outcome: testing.Outcome) -> Failure:
        assert outcome.failure is not None
        return outcome.failure

    def test_an_op_is_still_a_function(self) -> None:
        self.assertEqual(scale(3, Scale(by=5)), 15)
        self.assertEqual(total(Collected.of([1, 2, 3])), 6)

    def test_config_is_read_and_has_defaults(self) -> None:
        self.assertEqual(testing.run(scale, n=3).json(), 6)
        self.assertEqual(testing.run(scale, n=9, config={"by": 3, "mode": "down"}).json(), 3)
        wrong = self.failed(testing.run(scale, n=9, config={"mode": "sideways"}))
        self.assertEqual(
            wrong.message,
            "config: one of 'up', 'down' was expected at `.mode`, and it is the string 'sideways'",
        )

    def test_values_go_through_their_types(self) -> None:
        track = {"points": [{"x": 1}, {"x": 2, "y": 3.5}], "unit": "ft", "tags": {"a": "b"}}
        self.assertEqual(testing.run(mirror, track=track).json(), {
            "points": [{"x": 1.0, "y": 0.0}, {"x": 2.0, "y": 3.5}], "unit": "ft", "next": None, "tags": {"a": "b"},
        })
        wrong = self.failed(testing.run(mirror, track={"points": [{"x": "1"}]}))
        self.assertEqual(
            wrong.message, "input `track`: a number was expected at `.points[0].x`, and it is the string '1'"
        )
        missing = self.failed(testing.run(mirror, track={}))
        self.assertIn("a field `points` was expected, and it is missing", missing.message)

    def test_bytes_that_are_not_json_are_refused_where_json_is_declared(self) -> None:
        wrong = self.failed(testing.run(scale, n=Value(b"x", "image/png")))
        self.assertEqual(wrong.message, "input `n`: it is `image/png`, JSON was expected")
        wrong = self.failed(testing.run(scale, n=Value(b"{", "application/json")))
        self.assertIn("input `n`: it is not JSON: ", wrong.message)

    def test_dynamic_outputs_are_emitted_or_returned(self) -> None:
        emitted = testing.run(count, to=3)
        self.assertEqual(emitted.dynamic(), [("n0", 0), ("n1", 1), ("n2", 2)])
        self.assertEqual((emitted.emitted, emitted.progress), (3, (3, 3)))
        self.assertEqual(emitted.logs[1], ("debug", "next", {"n": "1"}))
        returned = testing.run(load, to=2)
        self.assertEqual((returned.dynamic(), returned.emitted), ([("0", 0), ("1", 1)], 0))

    def test_a_generator_returns_its_other_outputs(self) -> None:
        outcome = testing.run(survey, text="a\nbcd")
        self.assertEqual(outcome.dynamic("line"), [("0", "a"), ("1", "bcd")])
        self.assertEqual((outcome.json("total"), outcome.json("longest")), (2, "bcd"))
        empty = testing.run(survey, text="")
        self.assertIsNone(empty.value("longest"))

    def test_several_outputs_are_a_tuple_or_a_dict(self) -> None:
        outcome = testing.run(ends, values=testing.Many([3, 1, 2]))
        self.assertEqual((outcome.json("low"), outcome.json("high")), (1, 3))
        ends_by_name = op(name="ends_by_name", out={"low": int, "high": int})(_ends_by_name)
        self.assertEqual(testing.run(ends_by_name, n=1).json("high"), 2)

    def test_collected_elements_have_keys(self) -> None:
        many = Collected.keyed(((f"k{n}", n) for n in range(300)), failed_keys=["lost"])
        self.assertEqual(testing.run(total, sizes=many).json(), sum(range(300)))
        outcome = testing.run(keys, sizes=Collected.keyed([("a", 1), ("b", 2)], failed_keys=["lost"]))
        self.assertEqual(outcome.json(), ["a", "b", "lost"])
        wrong = self.failed(testing.run(total, sizes=Collected.keyed([("a", 1), ("b", "x")])))
        self.assertEqual(wrong.message, "element `b`: an integer was expected, and it is the string 'x'")

    def test_an_input_that_is_not_wired_has_its_default(self) -> None:
        self.assertEqual(testing.run(greet).json(), "hello world")
        self.assertEqual(testing.run(greet, name="you").json(), "hello you")
        wrong = self.failed(testing.run(scale))
        self.assertEqual(wrong.message, "input `n`: it is required, and the job gives nothing for it")

    def test_bytes_have_media_types(self) -> None:
        self.assertEqual(testing.run(picture, data=Value(b"abc")).value(), Value(b"cba", "image/x-mirror"))

    def test_an_exception_is_a_permanent_failure_with_its_traceback(self) -> None:
        failure = self.failed(testing.run(broken, depth=1))
        self.assertEqual(failure.retry, "never")
        self.assertRegex(failure.message, r"ZeroDivisionError: .* \(test_op.py:\d+\)")
        assert failure.detail is not None
        lines = failure.detail.json()["traceback"].splitlines()
        self.assertEqual(len(lines), 5)
        self.assertRegex(lines[0], r"  test_op.py:\d+ in broken")
        self.assertIn("1 // depth", lines[1])
        deep = self.failed(testing.run(broken, depth=100)).detail
        assert deep is not None
        self.assertIn("  … 81 more", deep.json()["traceback"])

    def test_failures_are_typed(self) -> None:
        self.assertEqual(Failure.retry_after("busy", 500, detail=[1]).detail, Value(b"[1]", "application/json"))
        ask = op(name="ask")(_ask)
        failure = self.failed(testing.run(ask))
        self.assertEqual((failure.retry, failure.delay_ms, failure.message), ("after", 500, "attempt 1 in ask"))
        self.assertEqual(testing.run(ask, attempt=2, mapping_keys=["k"]).json(), "ask[k]")

    def test_a_violation_cannot_be_swallowed(self) -> None:
        outcome = testing.run(twice, n=1)
        self.assertEqual(self.failed(outcome).message, "output `result`: the mapping key `same` was already given")

    def test_an_output_of_another_type_is_the_ops_failure(self) -> None:
        wrong = self.failed(testing.run(op(name="wrong")(_wrong)))
        self.assertEqual(wrong.message, "output `result`: an integer was expected, and it is the string 'x'")
        nan = self.failed(testing.run(op(name="nan")(_nan)))
        self.assertIn("output `result`: ", nan.message)


def _ends_by_name(n: int):
    return {"low": n, "high": Output(n + 1)}


def _ask() -> str:
    at = context()
    if at.attempt == 1:
        raise Failure.retry_after(f"attempt {at.attempt} in {at.step_key}", 500)
    return at.step_key


def _wrong() -> int:
    return "x"  # type: ignore[return-value]


def _nan() -> float:
    return float("nan")


if __name__ == "__main__":
    unittest.main()
