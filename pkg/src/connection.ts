/** The state of the connection, as applications see it. */
import { meaningOf } from "./errors.js";
import { platform } from "./platform.js";
import type { ConnectionState, ErrorCode } from "./words.js";

/** The connection of a client. */
export interface ConnectionStatus {
  /** The state of the connection. */
  readonly state: ConnectionState;
  /** Why the connection failed, or why the last attempt did. */
  readonly code?: ErrorCode;
  /** Failures in a row. */
  readonly attempt: number;
  /** Milliseconds from this report until the next attempt. */
  readonly retryInMs?: number;
  /** `true` while the browser says that it has no network; then attempts cannot succeed. */
  readonly offline?: true;
  /** The code with which the last socket closed that the client did not close itself. */
  readonly lastCloseCode?: number;
  /** Advice for developers. Its words may change with any version. */
  readonly hint?: string;
}

/** A client that was not connected yet. */
export const IDLE: ConnectionStatus = Object.freeze({ state: "idle", attempt: 0 });

const BLOCKED = "The page's Content-Security-Policy refuses the address: add it to `connect-src`.";
const UNREACHABLE = "The server is away, or refused the page, for example its origin.";

/** Adds what the page knows to a status: whether its own policy refused the address, and whether it is offline. */
export function withHint({ offline: _, ...machine }: ConnectionStatus, blocked: boolean): ConnectionStatus {
  const status: ConnectionStatus = platform.navigator?.onLine === false ? { ...machine, offline: true } : machine;
  const { state, code, lastCloseCode } = status;
  if (state === "idle" || state === "open" || state === "closed") return status;
  const unreachable = status.attempt > 0 && lastCloseCode === 1006 ? UNREACHABLE : "";
  // Browsers leave a socket that the policy refuses unopened.
  const hint = code !== undefined && code !== "open_timeout" ? meaningOf(code) : blocked ? BLOCKED : code ? meaningOf(code) : unreachable;
  return hint === "" ? status : { ...status, hint };
}
