// The op `{{op}}`.

import { op, t } from "dynhost-sdk";

export const {{op}} = op(
  {
    name: "{{op}}",
    description: "Counts the words of a text.",
    inputs: { text: t.string() },
    output: t.integer(),
  },
  ({ text }) => text.split(/\s+/).filter(Boolean).length,
);
