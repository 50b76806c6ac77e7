// The failure of a case: the expected and the received data.

export class Failure extends Error {
  constructor(expected, seen) {
    super(`expected ${expected}; seen ${seen}`);
    Object.assign(this, { expected, seen });
  }
}

/** The run is not possible: an argument or a file is wrong, or the server does not answer. */
export class Unusable extends Error {}

/** Shortens a text for a report. */
export function shortened(text, most = 400) {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}
