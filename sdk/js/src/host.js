// The host of this step: a component's imports, or a test's own.

let current;

/** The host of this step. */
export function host() {
  if (!current) throw new Error("there is no host here: run the op with `run` of `dynhost-sdk/testing`");
  return current;
}

/** Sets the host, and gives the one before. */
export function replaceHost(next) {
  const before = current;
  current = next;
  return before;
}
