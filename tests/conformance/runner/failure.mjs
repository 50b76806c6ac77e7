// What a case reports: which rule, what was expected, what was seen.

export class Failure extends Error {
  constructor(expected, seen) {
    super(`expected ${expected}; seen ${seen}`);
    Object.assign(this, { expected, seen });
  }
}

/** Something is wrong with what the runner was given, not with the server. */
export class Unusable extends Error {}

/** A text short enough for a report. */
export function shortened(text, most = 400) {
  return text.length <= most ? text : `${text.slice(0, most)}… (${text.length} characters)`;
}
