/** Positions in a campaign's log, as REST answers and the stream write them. */
import { CampaignSyncError } from "./errors.js";

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
  const match = /^([^/\s]{1,128})\/(\d{1,16})$/.exec(text ?? "");
  const sequenceNumber = Number(match?.[2]);
  return match?.[1] !== undefined && Number.isSafeInteger(sequenceNumber) ? { epoch: match[1], sequenceNumber } : null;
}

/** Writes `epoch/number`, the form that the `min_position` parameter takes. */
export function formatPosition(position: LogPosition): string {
  return `${position.epoch}/${position.sequenceNumber}`;
}

/** Reads a position in either form. Throws `invalid_content` for any other value. */
export function toPosition(position: LogPosition | string): LogPosition {
  const read = typeof position === "string" ? parsePosition(position) : position;
  if (read === null || typeof read.epoch !== "string" || !Number.isSafeInteger(read.sequenceNumber)) {
    throw new CampaignSyncError("invalid_content", { message: "A position is {epoch, sequenceNumber} or \"epoch/number\"." });
  }
  return read;
}
