/** Positions in a campaign's log, as REST answers and the stream write them. */
import { checkedMembers, COUNT, invalidArgument, type Rules } from "./check.js";

/** A position in a campaign's log: the epoch of the log, and the number of an event in it. */
export interface LogPosition {
  /** The name of the log. It changes if the log is replaced, for example after a restore from a backup. */
  readonly epoch: string;
  /** The number of the event, contiguous from 1. */
  readonly sequenceNumber: number;
}

/**
 * Reads `epoch/number`, the form of the `Campaign-Position` header.
 * @returns `null` for any other text, and for an absent header.
 */
export function parsePosition(text: string | null | undefined): LogPosition | null {
  const match = /^([!#-.0-[\]-~]{1,128})\/(\d{1,16})$/.exec(typeof text === "string" ? text : "");
  const sequenceNumber = Number(match?.[2]);
  return match?.[1] !== undefined && Number.isSafeInteger(sequenceNumber) ? { epoch: match[1], sequenceNumber } : null;
}

const EPOCH = /^[!#-.0-[\]-~]{1,128}$/;

const RULES: Rules<LogPosition> = {
  epoch: [(it) => typeof it === "string" && EPOCH.test(it), "1 to 128 of printable ASCII but slashes and quotation marks"],
  sequenceNumber: COUNT,
};

/** Writes `epoch/number`, the form that the `min_position` parameter takes. Throws `invalid_argument` for any other value. */
export function formatPosition(position: LogPosition): string {
  const { epoch, sequenceNumber } = toPosition(position);
  return `${epoch}/${sequenceNumber}`;
}

/** Reads a position in either form. Throws `invalid_argument` for any other value. */
export function toPosition(position: LogPosition | string, name = "position"): LogPosition {
  const read = typeof position === "string" ? parsePosition(position) : checkedMembers(name, position, RULES, true);
  if (read?.epoch === undefined || read.sequenceNumber === undefined) {
    throw invalidArgument(name, '{epoch, sequenceNumber} or "epoch/number"');
  }
  return read;
}

/** Whether the data's position is provably at or beyond `floor`. Numbers of another epoch prove nothing. */
export function isNotBehind({ position }: { readonly position: LogPosition | null }, floor: LogPosition | null): boolean {
  return floor === null || (position?.epoch === floor.epoch && position.sequenceNumber >= floor.sequenceNumber);
}

/** The higher of both positions. If their epochs differ, the second one wins, because it is newer. */
export function maxPosition(floor: LogPosition | null, asked: LogPosition | null): LogPosition | null {
  return asked === null ? floor : higher(floor, asked);
}

/** The higher of both positions; the newer one if their epochs differ. */
export function higher(floor: LogPosition | null | undefined, newer: LogPosition): LogPosition {
  return floor?.epoch === newer.epoch && floor.sequenceNumber > newer.sequenceNumber ? floor : newer;
}
