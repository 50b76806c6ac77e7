/** The state of the connection, as applications see it. */
import type { ErrorCode } from "./errors.js";

/** The connection of a client. */
export interface ConnectionStatus {
  readonly state: "idle" | "connecting" | "open" | "waiting" | "failed" | "closed";
  /** Why the connection failed, or why the last attempt did. */
  readonly code?: ErrorCode;
  /** Failures in a row. */
  readonly attempt: number;
  /** Milliseconds from this report until the next attempt. */
  readonly retryInMs?: number;
  /** The code with which the last socket closed that the client did not close itself. */
  readonly lastCloseCode?: number;
}

/** A client that was not connected yet. */
export const IDLE: ConnectionStatus = Object.freeze({ state: "idle", attempt: 0 });
