// What is declared about a function, and how it is run.

import assert from "node:assert/strict";
import { test } from "node:test";

import { Collected, Failure, Value, context, dynamicOutput, log, op, output, progress, t } from "dynhost-sdk";
import { Many, run } from "dynhost-sdk/testing";

const point = t.object({ x: t.number(), y: t.number().default(0).describe("Upwards.") });

const scale = op(
  {
    name: "scale",
    description: "Scales a number.",
    inputs: { n: t.integer().describe("What is scaled.") },
    output: t.integer(),
    config: t.object({ by: t.integer().default(2), mode: t.oneOf("up", "down").default("up") }),
  },
  ({ n }, { by, mode }) => (mode === "up" ? n * by : Math.floor(n / by)),
);

const mirror = op(
  {
    name: "mirror",
    inputs: { track: t.object({ points: t.array(point), tags: t.map(t.string()).optional() }) },
    output: t.object({ points: t.array(point), tags: t.map(t.string()).optional() }),
  },
  ({ track }) => track,
);

const count = op(
  { name: "count", inputs: { to: t.integer() }, outputs: { n: t.dynamic(t.integer()) } },
  function* ({ to }) {
    for (let n = 0; n < to; n++) {
      log.debug("next", { n });
      yield dynamicOutput(n, `n${n}`);
      progress(n + 1, to);
    }
  },
);

const load = op(
  { name: "load", inputs: { to: t.integer() }, output: t.dynamic(t.integer()) },
  ({ to }) => Array.from({ length: to }, (_, n) => dynamicOutput(n, n)),
);

const survey = op(
  {
    name: "survey",
    inputs: { text: t.string() },
    outputs: { line: t.dynamic(t.string()), total: t.integer(), first: t.string().optional() },
  },
  function* ({ text }) {
    const lines = text.split("\n").filter(Boolean);
    for (const [n, line] of lines.entries()) yield dynamicOutput(line, n, "line");
    yield output(lines.length, "total");
    return { first: lines[0] };
  },
);

const total = op(
  { name: "total", inputs: { sizes: t.collected(t.integer()) }, output: t.integer() },
  ({ sizes }) => [...sizes].reduce((a, b) => a + b, 0),
);

const keys = op({ name: "keys", inputs: { sizes: t.collected(t.any()) }, output: t.array(t.string()) }, ({ sizes }) => [
  ...[...sizes.withKeys()].map(([key]) => key),
  ...sizes.failedKeys(),
]);

const greet = op(
  { name: "greet", inputs: { name: t.string().default("world"), again: t.boolean().optional() }, output: t.string() },
  ({ name, again }) => `hello ${again ? "again, " : ""}${name}`,
);

const picture = op({ name: "picture", inputs: { data: t.value() }, output: t.value() }, ({ data }) => {
  return new Value(data.data.toReversed(), "image/x-mirror");
});

const ask = op({ name: "ask", output: t.string() }, () => {
  const { attempt, stepKey } = context();
  if (attempt === 1) throw Failure.retryAfter(`attempt ${attempt} in ${stepKey}`, 500);
  return stepKey;
});

const broken = op({ name: "broken", inputs: {}, output: t.integer() }, () => null.size);

const twice = op({ name: "twice", outputs: { n: t.dynamic(t.integer()) } }, function* () {
  yield dynamicOutput(1, "same");
  yield dynamicOutput(2, "same");
});

const wrong = op({ name: "wrong", output: t.integer() }, () => "x");

test("a definition comes from the declaration", () => {
  const { inputs, outputs, configSchema, ...rest } = scale.definition();
  assert.deepEqual(rest, { name: "scale", description: "Scales a number." });
  assert.deepEqual(inputs, [
    { name: "n", description: "What is scaled.", required: true, schema: '{"type":"integer"}', collected: false },
  ]);
  assert.deepEqual(outputs[0].name, "result");
  assert.deepEqual(JSON.parse(configSchema).properties, {
    by: { type: "integer", default: 2 },
    mode: { type: "string", enum: ["up", "down"], default: "up" },
  });
  const track = JSON.parse(mirror.definition().inputs[0].schema);
  assert.deepEqual(track.required, ["points"]);
  assert.equal(track.properties.points.items.properties.y.description, "Upwards.");
  assert.deepEqual(survey.definition().outputs.map((port) => [port.name, port.dynamic, port.required]), [
    ["line", true, true],
    ["total", false, true],
    ["first", false, false],
  ]);
  assert.equal(picture.definition().inputs[0].schema, undefined);
  assert.equal(total.definition().inputs[0].collected, true);
});

test("what cannot be declared is refused with words", () => {
  assert.throws(() => op({ name: "Bad" }, () => {}), /`Bad` cannot be the name of an op: a lower-case letter/);
  assert.throws(() => op({ name: "scale" }, () => {}), /there are two ops `scale`/);
  assert.throws(() => op({ name: "x", inputs: { "no no": t.any() } }, () => {}), /name of an input of op `x`/);
});

test("an op is still a function", () => {
  assert.equal(scale({ n: 3 }, { by: 5, mode: "up" }), 15);
  assert.equal(total({ sizes: Collected.of([1, 2, 3]) }), 6);
});

test("config is read and has defaults", () => {
  assert.equal(run(scale, { n: 3 }).json(), 6);
  assert.equal(run(scale, { n: 9 }, { config: { by: 3, mode: "down" } }).json(), 3);
  assert.equal(
    run(scale, { n: 9 }, { config: { mode: "sideways" } }).failure.message,
    'config: one of "up", "down" was expected at `.mode`, and it is the string "sideways"',
  );
});

test("values go through their types", () => {
  assert.deepEqual(run(mirror, { track: { points: [{ x: 1 }], tags: { a: "b" } } }).json(), {
    points: [{ x: 1, y: 0 }],
    tags: { a: "b" },
  });
  const message = (track) => run(mirror, { track }).failure.message;
  assert.equal(
    message({ points: [{ x: "1" }] }),
    'input `track`: a number was expected at `.points[0].x`, and it is the string "1"',
  );
  assert.equal(message({}), "input `track`: a field `points` was expected, and it is missing");
  assert.equal(run(wrong).failure.message, 'output `result`: an integer was expected, and it is the string "x"');
});

test("bytes that are not JSON are refused where JSON is declared", () => {
  const message = (n) => run(scale, { n }).failure.message;
  assert.equal(message(new Value(new Uint8Array(1), "image/png")), "input `n`: it is `image/png`, JSON was expected");
  assert.match(message(new Value(Uint8Array.of(123), "application/json")), /^input `n`: it is not JSON: /);
});

test("dynamic outputs are emitted or returned", () => {
  const emitted = run(count, { to: 3 });
  assert.deepEqual(emitted.dynamic("n"), [["n0", 0], ["n1", 1], ["n2", 2]]);
  assert.deepEqual([emitted.emitted, emitted.progress], [3, [3, 3]]);
  assert.deepEqual(emitted.logs[1], ["debug", "next", { n: "1" }]);
  const returned = run(load, { to: 2 });
  assert.deepEqual([returned.dynamic(), returned.emitted], [[["0", 0], ["1", 1]], 0]);
});

test("a generator gives and returns outputs of all kinds", () => {
  const outcome = run(survey, { text: "a\nbc" });
  assert.deepEqual(outcome.dynamic("line"), [["0", "a"], ["1", "bc"]]);
  assert.deepEqual([outcome.json("total"), outcome.json("first"), outcome.emitted], [2, "a", 3]);
  assert.equal(run(survey, { text: "" }).value("first"), undefined);
});

test("collected elements have keys", () => {
  assert.equal(run(total, { sizes: Collected.of(Array(300).fill(2)) }).json(), 600);
  const sizes = Collected.keyed([["a", 1], ["b", 2]], ["lost"]);
  assert.deepEqual(run(keys, { sizes }).json(), ["a", "b", "lost"]);
  const three = Collected.of([5, 6, 7]);
  assert.deepEqual([three.batch(2), [...three.withKeys()], three.batch(9)], [[["0", 5], ["1", 6]], [["2", 7]], []]);
  const two = Collected.of([8, 9]);
  assert.deepEqual([two.batch(0), two.batch(2 ** 32 - 1), two.batch(0)], [[["0", 8]], [["1", 9]], []]);
  assert.equal(
    run(total, { sizes: Collected.of([1, "x"]) }).failure.message,
    'element `1`: an integer was expected, and it is the string "x"',
  );
});

test("an input that is not wired has its default", () => {
  assert.equal(run(greet).json(), "hello world");
  assert.equal(run(greet, { name: "you", again: true }).json(), "hello again, you");
  assert.equal(run(scale).failure.message, "input `n`: it is required, and the job gives nothing for it");
  assert.deepEqual(run(mirror, { track: new Many([]) }).failure.message.slice(0, 15), "input `track`: ");
});

test("bytes have media types", () => {
  const { data, mediaType } = run(picture, { data: new Value(Uint8Array.of(1, 2)) }).value();
  assert.deepEqual([[...data], mediaType], [[2, 1], "image/x-mirror"]);
});

test("what is thrown is a permanent failure with its stack", () => {
  const { failure } = run(broken);
  assert.equal(failure.retry, "never");
  assert.match(failure.message, /^TypeError: Cannot read properties of null/);
  assert.match(failure.detail.json().traceback, /op\.test\.js/);
});

test("failures are typed", () => {
  const { retry, delayMs, message } = run(ask).failure;
  assert.deepEqual([retry, delayMs, message], ["after", 500, "attempt 1 in ask"]);
  assert.equal(run(ask, {}, { attempt: 2, mappingKeys: ["k"] }).json(), "ask[k]");
  assert.deepEqual(Failure.transient("busy", [1]).detail.json(), [1]);
});

test("a violation is the op's failure", () => {
  assert.equal(run(twice).failure.message, "output `n`: the mapping key `same` was already given");
});
