// Taking the values of all clones of a map, a batch at a time.

import { Failure, Unfit } from "./failure.js";

// How many elements are asked for at once. The host gives fewer where they are large.
const BATCH = 128;

/** A collected input: iterates over the values of all clones, in the order in which they were emitted. */
export class Collected {
  #pull;
  #read;
  #batch = [];
  #taken = 0;

  constructor(pull, read) {
    this.#pull = pull;
    this.#read = read;
  }

  /** A collected input for tests whose keys are the positions `0`, `1`, …. */
  static of(values) {
    return Collected.keyed([...values].map((value, n) => [String(n), value]));
  }

  /** A collected input for tests with these mapping keys. */
  static keyed(elements, failedKeys = []) {
    const all = [...elements].map(([mappingKey, value]) => ({ mappingKey, value }));
    return new Collected(ready(all, failedKeys), (value) => value);
  }

  /** How many elements there are in all, those already taken included. */
  get length() {
    return this.#pull.len();
  }

  /** The mapping keys of the clones that failed where the job tolerates failures; they have no value here. */
  failedKeys() {
    return this.#pull.failedKeys();
  }

  *[Symbol.iterator]() {
    for (const [, value] of this.withKeys()) yield value;
  }

  /** The elements with the mapping keys under which they were emitted. */
  *withKeys() {
    while (this.#more(BATCH)) yield this.#element(this.#batch[this.#taken++]);
  }

  /** The next elements with their mapping keys: at least one, `most` at most, and none at the end. */
  batch(most) {
    if (!this.#more(most)) return [];
    const from = this.#taken;
    this.#taken = Math.min(from + Math.max(most, 1), this.#batch.length);
    return this.#batch.slice(from, this.#taken).map((element) => this.#element(element));
  }

  /** Whether there is an element that was not taken; asks the host for `most` where none is left. */
  #more(most) {
    if (this.#taken === this.#batch.length) {
      this.#batch = this.#pull.next(most);
      this.#taken = 0;
    }
    return this.#batch.length > 0;
  }

  #element({ mappingKey, value }) {
    try {
      return [mappingKey, this.#read(value)];
    } catch (error) {
      if (error instanceof Unfit) throw Failure.permanent(`element \`${mappingKey}\`: ${error.message}`);
      throw error;
    }
  }
}

/** Elements that are already there, as a host gives them. */
export function ready(elements, failedKeys) {
  let taken = 0;
  return {
    len: () => elements.length,
    next: (max) => elements.slice(taken, (taken += Math.max(max, 1))),
    failedKeys: () => failedKeys,
  };
}
