// What the ops compute: no more than AssemblyScript, tested by words.test.js.

function isBlank(unit: i32): bool {
  return unit == 32 || (unit >= 9 && unit <= 13);
}

/** How many words there are in a text, with blanks, tabs and ends of lines between them. */
export function countWords(text: string): i32 {
  let words = 0;
  let inside = false;
  for (let at = 0; at < text.length; at++) {
    const blank = isBlank(text.charCodeAt(at));
    if (!blank && !inside) words++;
    inside = !blank;
  }
  return words;
}
