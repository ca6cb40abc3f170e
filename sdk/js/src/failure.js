// Why a run of an op ended without its outputs.

import { Value } from "./value.js";

/** Throw one to end the step. Anything else that is thrown is a permanent failure with its stack as the detail. */
export class Failure extends Error {
  constructor(message, { retry = "never", delayMs = 0, detail } = {}) {
    super(message);
    this.name = "Failure";
    this.retry = retry;
    this.delayMs = delayMs;
    this.detail = detail === undefined || detail instanceof Value ? detail : Value.json(detail);
  }

  static permanent(message, detail) {
    return new Failure(message, { detail });
  }

  static transient(message, detail) {
    return new Failure(message, { retry: "allowed", detail });
  }

  static retryAfter(message, delayMs, detail) {
    return new Failure(message, { retry: "after", delayMs, detail });
  }
}

/** The host did not accept an output. It fails the step, whatever the op does next. */
export class EmitError extends Error {
  constructor(message, { cancelled = false } = {}) {
    super(message);
    this.name = "EmitError";
    this.cancelled = cancelled;
  }
}

/** A value that is not of its type. */
export class Unfit extends Error {}

/** What something that an op threw becomes. */
export function fromThrown(thrown) {
  if (thrown instanceof Failure) return thrown;
  if (thrown instanceof EmitError) return Failure.permanent(thrown.message);
  if (!(thrown instanceof Error)) return Failure.permanent(`the op threw ${String(thrown)}`);
  const words = `${thrown.name}: ${thrown.message}`;
  // Some engines begin a stack with the message, some do not.
  const stack = String(thrown.stack ?? "").replace(words, "").trim();
  return Failure.permanent(words, { error: words, traceback: `${words}\n${stack}` });
}
