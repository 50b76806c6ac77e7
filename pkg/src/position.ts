/** Positions in a campaign's log, as REST answers and the stream name them. */
import { CampaignSyncError } from "./errors.js";

/** A place in a campaign's log: the log's name and the number of an event in it. */
export interface LogPosition {
  /** Names the log. It changes when the log is not the same log any more. */
  readonly epoch: string;
  /** The number of the event, contiguous from 1. */
  readonly sequenceNumber: number;
}

/**
 * Reads `epoch/number`, the form of the `Campaign-Position` header.
 * @returns `null` for anything else, an absent header included.
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

/** The position in either form; throws `invalid_content` for neither. */
export function toPosition(position: LogPosition | string): LogPosition {
  const read = typeof position === "string" ? parsePosition(position) : position;
  if (read === null || typeof read.epoch !== "string" || !Number.isSafeInteger(read.sequenceNumber)) {
    throw new CampaignSyncError("invalid_content", { message: "A position is {epoch, sequenceNumber} or \"epoch/number\"." });
  }
  return read;
}
