// The op of ../parse.py in JavaScript.

import { Failure, op, t } from "dynhost-sdk";

const NAME = /^#\s*(?:station|messstelle)\s*:\s*(.*\S)$/i;
const DAY_COLUMN = /^(?:date|datum|day|tag)\b/i;
const DEGREES_COLUMN = /temp.*[^a-z]([cf])\W*$/i;
const DAYS = [
  /^(?<year>(?:19|20)[0-9]{2})-(?<month>[0-9]{2})-(?<day>[0-9]{2})$/,
  /^(?<day>[0-9]{2})\.(?<month>[0-9]{2})\.(?<year>(?:19|20)[0-9]{2})$/,
  /^(?<month>[0-9]{2})\/(?<day>[0-9]{2})\/(?<year>(?:19|20)[0-9]{2})$/,
];
const DEGREES = /^([-\u2212]?)([0-9]{1,3})(?:[.,]([0-9]{1,2}))?$/;
const MISSING = ["", "-", "n/a", "-9999"];
const [COLDEST, HOTTEST] = [-9000, 6000];
const DAY_MS = 24 * 60 * 60 * 1000;

class Unreadable extends Error {}

export const parse = op(
  {
    name: "parse",
    description: "Reads what a station exported, whatever its delimiters, dates, units and encoding are.",
    inputs: { export: t.value().describe("One file, as it is.") },
    outputs: {
      series: t
        .object({
          station: t.string(),
          start: t.string().describe("The first day, as 2025-01-31."),
          days: t
            .array(t.union(t.integer(), t.null()))
            .describe("Hundredths of a degree Celsius, day by day; null where there is none."),
        })
        .describe("What was measured."),
      rejected: t
        .array(t.object({ line: t.integer(), text: t.string(), why: t.string() }))
        .describe("The lines that say nothing that can be used."),
    },
  },
  (inputs) => {
    let station;
    let columns;
    const found = new Map();
    const rejected = [];
    for (const [n, line] of decoded(inputs.export.data).split(/\r?\n/).entries()) {
      if (trimmed(line) === "") continue;
      if (line.startsWith("#")) {
        station ??= NAME.exec(line.replace(/[ \t]+$/, ""))?.[1];
      } else if (!columns) {
        columns = header(line);
      } else {
        try {
          const [day, degrees] = reading(line, columns);
          if (!found.has(day)) found.set(day, degrees);
          if (found.get(day) !== degrees) throw new Unreadable("another value for this day came before");
        } catch (why) {
          if (!(why instanceof Unreadable)) throw why;
          rejected.push({ line: n + 1, text: line, why: why.message });
        }
      }
    }
    if (!columns || found.size === 0) throw Failure.permanent("there are no readings in it");
    if (!station) throw Failure.permanent("no line `# Station: NAME` says what station it is");
    const start = Math.min(...found.keys());
    const span = (Math.max(...found.keys()) - start) / DAY_MS + 1;
    const days = Array.from({ length: span }, (_, n) => found.get(start + n * DAY_MS) ?? null);
    return { series: { station, start: new Date(start).toISOString().slice(0, 10), days }, rejected };
  },
);

function decoded(data) {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(data).replace(/^\uFEFF/, "");
  } catch {
    return Array.from(data, (byte) => String.fromCharCode(byte)).join("");
  }
}

function trimmed(text) {
  return text.replace(/^[ \t]+|[ \t]+$/g, "");
}

function header(line) {
  const delimiter = [";", "\t", ","].find((d) => line.includes(d)) ?? ",";
  const columns = { delimiter };
  for (const [n, title] of fields(line, delimiter).entries()) {
    const matched = DEGREES_COLUMN.exec(title);
    if (columns.day === undefined && DAY_COLUMN.test(title)) columns.day = n;
    else if (columns.degrees === undefined && matched) {
      columns.degrees = n;
      columns.fahrenheit = matched[1].toLowerCase() === "f";
    }
  }
  if (columns.day === undefined || columns.degrees === undefined) {
    throw Failure.permanent("the header has no column for the day, or none for the temperature and its unit");
  }
  return columns;
}

function fields(line, delimiter) {
  const cells = [""];
  let quoted = false;
  for (let at = 0; at < line.length; at++) {
    const last = cells.length - 1;
    if (quoted && line.startsWith('""', at)) cells[last] += line[at++];
    else if (line[at] === '"' && (quoted || cells[last] === "")) quoted = !quoted;
    else if (line[at] === delimiter && !quoted) cells.push("");
    else cells[last] += line[at];
  }
  return cells.map(trimmed);
}

function reading(line, columns) {
  const cells = fields(line, columns.delimiter);
  if (cells.length <= Math.max(columns.day, columns.degrees)) throw new Unreadable("there are too few columns");
  const day = dayOf(cells[columns.day]);
  const text = cells[columns.degrees];
  if (MISSING.includes(text.toLowerCase())) return [day, null];
  const matched = DEGREES.exec(text);
  if (!matched) throw new Unreadable("the temperature is no number");
  const [, sign, whole, part = ""] = matched;
  let degrees = Number(whole) * 100 + Number(part.padEnd(2, "0"));
  // Not `-degrees`, which is no integer where they are 0.
  if (sign) degrees = 0 - degrees;
  if (columns.fahrenheit) degrees = Math.floor(((degrees - 3200) * 10 + 9) / 18);
  if (degrees < COLDEST || degrees > HOTTEST) throw new Unreadable("no place on Earth has this temperature");
  return [day, degrees];
}

function dayOf(text) {
  const groups = DAYS.map((form) => form.exec(text)).find(Boolean)?.groups;
  if (!groups) throw new Unreadable("the day is no date");
  const [year, month, day] = [groups.year, groups.month, groups.day].map(Number);
  const date = new Date(Date.UTC(year, month - 1, day));
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) throw new Unreadable("there is no such day");
  return date.getTime();
}
