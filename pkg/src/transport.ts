/** The two ways in which frames travel: sockets that the client opens, and the transport of the application. */
import type { Command } from "./bridge.js";
import * as Call from "./calls.js";
import { platform } from "./platform.js";
import { CLOSE_CODE } from "./check.js";
import { callSafely, report } from "./frame.js";

/** The code that a browser reports when a connection dies without a close frame. */
const ABNORMAL = 1006;

/** Takes the reports of a transport. A report of an old connection carries its number, and the machine ignores it. */
export interface TransportReports {
  /** Whether the client was closed. */
  readonly closed: boolean;
  command(command: Command): void;
  /** Takes a frame, and returns the number of events that the client applied. */
  receive(connection: number, frame: unknown): number;
  /** The page's Content-Security-Policy refused the address. */
  blocked(): void;
}

/** Performs the machine's effects that concern the socket. */
export interface Transport {
  /** Its name in `diagnostics()`. */
  readonly name: "socket" | "manual";
  open(connection: number): void;
  send(frame: string): void;
  /** Closes the present socket. None of its callbacks is called afterwards. */
  close(code: number): void;
  /** Releases everything. */
  end(): void;
}

/** The constructor of a WebSocket. */
export type WebSocketConstructor = new (url: string) => WebSocket;

/** Opens WebSockets to one address. */
export class SocketTransport implements Transport {
  readonly name = "socket";
  readonly #url: string;
  readonly #WebSocket: WebSocketConstructor;
  readonly #reports: TransportReports;
  #socket: WebSocket | undefined;

  constructor(url: string, WebSocket: WebSocketConstructor, reports: TransportReports) {
    this.#url = url;
    this.#WebSocket = WebSocket;
    this.#reports = reports;
  }

  open(connection: number): void {
    const reports = this.#reports;
    // A policy of the page does not make the constructor throw. The same listener is added only once.
    callSafely(() => platform.addEventListener?.("securitypolicyviolation", this.#onViolation));
    try {
      const socket = new this.#WebSocket(this.#url);
      this.#socket = socket;
      socket.binaryType = "arraybuffer";
      socket.onopen = () => reports.command({ call: Call.opened, id: connection });
      socket.onmessage = ({ data }) => this.#receive(connection, data);
      socket.onclose = (event) => reports.command({ call: Call.closed, id: connection, number: closeCode(event) });
      // The `close` that follows carries the same information. Outside browsers, an error that nobody listens to may
      // end the process.
      socket.onerror = () => {};
    } catch (error) {
      report(error);
      this.close(1000);
      return reports.command({ call: Call.closed, id: connection, number: ABNORMAL });
    }
    // The constructor may be the application's, and may have closed the client.
    if (reports.closed) this.end();
  }

  send(frame: string): void {
    this.#socket?.send(frame);
  }

  close(code: number): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#socket = undefined;
    // The socket may be the application's, and a failure must not keep the client from closing.
    callSafely(() => (socket.onopen = socket.onmessage = socket.onclose = null));
    // Browsers throw for any other code.
    callSafely(() => socket.close(code >= 3000 && code <= 4999 ? code : 1000));
  }

  end(): void {
    this.close(1000);
    callSafely(() => platform.removeEventListener?.("securitypolicyviolation", this.#onViolation));
  }

  #receive(connection: number, data: unknown): void {
    try {
      this.#reports.receive(connection, data);
    } catch {
      // Data that is not a frame is refused and counted as an empty one.
      this.#reports.receive(connection, "");
    }
  }

  readonly #onViolation = ({ effectiveDirective, blockedURI, disposition }: SecurityPolicyViolationEvent): void => {
    // A policy that only reports blocks nothing. Browsers name the address or its origin.
    const isOurs = [this.#url, new URL(this.#url).origin].includes(blockedURI);
    if (effectiveDirective === "connect-src" && disposition !== "report" && isOurs) this.#reports.blocked();
  };
}

/** The code of a `close` event, which may be the application's. */
function closeCode(event: unknown): number {
  const { code } = Object(event) as { code?: unknown };
  return CLOSE_CODE[0](code) ? (code as number) : ABNORMAL;
}

/**
 * The application's transport. It counts as open until the application reports that it closed. An application that
 * reports an opening reports every opening.
 */
export class ManualTransport implements Transport {
  readonly name = "manual";
  readonly #send: (frame: string) => void;
  readonly #reports: TransportReports;
  /** The number of the present connection. */
  #connection = 0;
  #reported: "opened" | "closed" | undefined;

  /** `reportsOpening` says whether the transport counts as closed until `opened()`. */
  constructor(send: (frame: string) => void, reports: TransportReports, reportsOpening: boolean) {
    this.#send = send;
    this.#reports = reports;
    if (reportsOpening) this.#reported = "closed";
  }

  open(connection: number): void {
    this.#connection = connection;
    if (this.#reported !== "closed") this.#reports.command({ call: Call.opened, id: connection });
  }

  send(frame: string): void {
    this.#send(frame);
  }

  close(): void {
    // The client waits for the next opening of a transport whose openings are reported.
    if (this.#reported === "opened") this.#reported = "closed";
  }

  end(): void {}

  opened(): void {
    this.#reported = "opened";
    this.#reports.command({ call: Call.opened, id: this.#connection });
    // An attempt that waits need not wait any longer.
    this.#reports.command({ call: Call.online });
  }

  closed(code: number): void {
    this.#reported = "closed";
    this.#reports.command({ call: Call.closed, id: this.#connection, number: code });
  }

  receive(frame: unknown): number {
    return this.#reports.receive(this.#connection, frame);
  }
}
