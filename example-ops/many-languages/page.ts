// One page of HTML about all stations.

import { type Collected, Value, op, t } from "dynhost-sdk";

const extreme = t.object({ day: t.string(), degrees: t.integer() });
const summary = t.object({
  station: t.string(),
  measured: t.integer(),
  missing: t.integer(),
  mean: t.integer(),
  p10: t.integer(),
  p50: t.integer(),
  p90: t.integer(),
  lowest: extreme,
  highest: extreme,
  months: t.array(t.object({ month: t.string(), mean: t.integer() })),
});
const rejected = t.array(t.object({ line: t.integer(), text: t.string(), why: t.string() }));

type Summary = typeof summary extends { holds?: infer S } ? NonNullable<S> : never;
type Rejected = { line: number; text: string; why: string };

/** The width of a drawing, in its own units. */
const WIDTH = 400;

export const page = op(
  {
    name: "page",
    description: "Writes a page of HTML about all stations.",
    inputs: {
      summaries: t.collected(summary).describe("What the temperatures of each station amount to."),
      trends: t.collected(t.integer()).describe("Thousandths of a degree in 30 days."),
      rejected: t.collected(rejected).describe("The lines of each file that were left out."),
    },
    config: t.object({ title: t.string() }),
    outputs: { page: t.value().describe("The page, `text/html`.") },
  },
  ({ summaries, trends, rejected }, { title }) => {
    const stations = [...summaries.withKeys()];
    const trendOf = new Map(trends.withKeys());
    const lowest = Math.min(...stations.map(([, { lowest }]) => lowest.degrees));
    const highest = Math.max(...stations.map(([, { highest }]) => highest.degrees));
    const at = (degrees: number) => Math.floor(((degrees - lowest) * WIDTH) / Math.max(highest - lowest, 1));
    const lines = [
      "<!doctype html>",
      `<html lang="en"><meta charset="utf-8"><title>${escaped(title)}</title>`,
      `<h1>${escaped(title)}</h1>`,
      "<table>",
      `<tr>${HEADINGS.map((heading) => `<th>${heading}</th>`).join("")}</tr>`,
      ...stations.map(([key, summary]) => row(summary, trendOf.get(key), at)),
      "</table>",
      ...leftOut(rejected),
      "</html>",
    ];
    return { page: Value.text(`${lines.join("\n")}\n`, "text/html") };
  },
);

const HEADINGS = ["Station", "Days", "Missing", "Mean", "Lowest", "Highest", "In 30 days", "Months", "10 to 90 %"];

function row(summary: Summary, trend: number | undefined, at: (degrees: number) => number): string {
  const { station, measured, missing, mean, lowest, highest, months } = summary;
  const cells = [
    escaped(station),
    `${measured}`,
    `${missing}`,
    decimal(mean, 2),
    `${decimal(lowest.degrees, 2)} (${lowest.day})`,
    `${decimal(highest.degrees, 2)} (${highest.day})`,
    trend === undefined ? "" : decimal(trend, 3),
    months.map(({ month, mean }) => `${month}: ${decimal(mean, 2)}`).join("<br>"),
    drawing(summary, at),
  ];
  return `<tr>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

/** From the lowest to the highest, a box from 10 to 90 percent, and the median. */
function drawing({ lowest, p10, p50, p90, highest }: Summary, at: (degrees: number) => number): string {
  const [low, left, middle, right, high] = [lowest.degrees, p10, p50, p90, highest.degrees].map(at);
  return (
    `<svg width="${WIDTH}" height="20"><path d="M${low} 10H${high}M${middle} 0V20" stroke="black"/>` +
    `<rect x="${left}" y="4" width="${right! - left!}" height="12" fill="steelblue" fill-opacity=".6"/></svg>`
  );
}

function leftOut(rejected: Collected<Rejected[]>): string[] {
  const items = [...rejected.withKeys()].flatMap(([file, lines]) =>
    lines.map(({ line, text, why }) => {
      return `<li>${escaped(file)}, line ${line}: ${escaped(why)}: <code>${escaped(text)}</code></li>`;
    }),
  );
  items.push(...rejected.failedKeys().map((file) => `<li>${escaped(file)}: all of it</li>`));
  return items.length > 0 ? ["<h2>Left out</h2>", "<ul>", ...items, "</ul>"] : [];
}

/** A whole number of hundredths or thousandths. */
function decimal(value: number, places: 2 | 3): string {
  const digits = `${Math.abs(value)}`.padStart(places + 1, "0");
  return `${value < 0 ? "\u2212" : ""}${digits.slice(0, -places)}.${digits.slice(-places)}`;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
