/** The network of the test server: sockets in the memory of the test, whose frames travel in order. */
import { CampaignSyncError } from "../errors.js";
import { callSafely } from "../frame.js";
import { nextTurn } from "./time.js";
import type { WebSocketConstructor } from "../transport.js";

/** The server's end of a socket. */
export interface Peer {
  /** Sends a frame. */
  send(frame: string): void;
  /** Closes the socket: the client receives this code. 1006 cuts it. */
  close(code: number): void;
}

/** The server's side of a connection. */
export interface Conversation {
  receive(frame: string): void;
  /** The socket is closed. */
  closed(): void;
}

/** Tasks after which the network ends the task of the platform in which it runs. */
const TASKS_MAX = 20;

/** Carries frames between sockets and the server, in the order in which they were sent. */
export class Network {
  /** Begins a conversation, or returns nothing if the server is away. */
  readonly #accept: (peer: Peer) => Conversation | undefined;
  readonly #tasks: (() => void)[] = [];
  readonly #sockets = new Set<TestSocket>();
  /** Frames that wait until the line is no longer silent. */
  #waiting: (() => void)[] = [];
  /** Sockets that wait until the server accepts again; `undefined` if it does. */
  #arrivals: (() => void)[] | undefined;
  #isSilent = false;
  #isRunning = false;
  /** Counts what was carried. */
  activity = 0;
  /** Times that the line may be in use before it is silent. */
  quota = Infinity;
  /** The count at which the network last ended a task. */
  #lastTurn = 0;

  constructor(accept: (peer: Peer) => Conversation | undefined) {
    this.#accept = accept;
  }

  get isIdle(): boolean {
    return !this.#isRunning;
  }

  /** Opens the server's end of a socket. */
  open(socket: TestSocket): void {
    this.#sockets.add(socket);
    const accept = (): void => {
      if (socket.readyState !== CONNECTING) return;
      const conversation = this.#accept({
        send: (frame) => this.carry(() => socket.deliver(frame)),
        close: (code) => {
          this.#sockets.delete(socket);
          this.post(() => socket.end(code));
        },
      });
      if (conversation !== undefined) socket.begin(conversation);
      else socket.end(ABNORMAL);
    };
    if (this.#arrivals === undefined) this.post(accept);
    else this.#arrivals.push(accept);
  }

  /** Lets new sockets wait, or accepts those that wait. */
  set accepting(isAccepting: boolean) {
    const arrivals = this.#arrivals ?? [];
    this.#arrivals = isAccepting ? undefined : arrivals;
    if (isAccepting) for (const accept of arrivals) this.post(accept);
  }

  /** Forgets a socket that is closed. */
  release(socket: TestSocket): void {
    this.#sockets.delete(socket);
  }

  /** Cuts all sockets. */
  cut(): void {
    for (const socket of [...this.#sockets]) this.post(() => socket.end(ABNORMAL));
    this.#sockets.clear();
  }

  /** Carries frames, or keeps all of them on the way. */
  set silent(isSilent: boolean) {
    this.#isSilent = isSilent;
    if (isSilent) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const task of waiting) this.post(task);
  }

  /** Carries a frame, unless the line is silent. */
  carry(task: () => void): void {
    if (this.quota < 0) this.silent = true;
    if (this.#isSilent) this.#waiting.push(task);
    else this.post(task);
  }

  /** Runs a task after those before it. */
  post(task: () => void): void {
    this.#tasks.push(task);
    this.activity += 1;
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    this.quota -= 1;
    while (this.#tasks.length > 0) {
      // An application that sends after every answer would keep this task running, and with it the whole test.
      if (this.activity - this.#lastTurn > TASKS_MAX) {
        this.#lastTurn = this.activity;
        await nextTurn();
      }
      // A frame never arrives while its sender still runs.
      await undefined;
      for (const task of this.#tasks.splice(0)) {
        callSafely(task);
        await undefined;
      }
    }
    this.#isRunning = false;
  }

  /** Returns the class of sockets to this server. */
  socketClass(): WebSocketConstructor {
    const network = this;
    return class extends TestSocket {
      constructor(url: string) {
        super(network, url);
      }
    } as unknown as WebSocketConstructor;
  }
}

const [CONNECTING, OPEN, CLOSING, CLOSED] = [0, 1, 2, 3] as const;
/** The code of a connection that dies without a close frame. */
const ABNORMAL = 1006;

type Handler = ((event: Event) => void) | null;

/** A WebSocket whose server is in the same process. */
class TestSocket extends EventTarget {
  static readonly CONNECTING = CONNECTING;
  static readonly OPEN = OPEN;
  static readonly CLOSING = CLOSING;
  static readonly CLOSED = CLOSED;
  readonly CONNECTING = CONNECTING;
  readonly OPEN = OPEN;
  readonly CLOSING = CLOSING;
  readonly CLOSED = CLOSED;
  readonly url: string;
  readonly protocol = "";
  readonly extensions = "";
  readonly bufferedAmount = 0;
  binaryType = "blob";
  readyState: number = CONNECTING;
  onopen: Handler = null;
  onmessage: Handler = null;
  onclose: Handler = null;
  onerror: Handler = null;
  readonly #network: Network;
  #conversation: Conversation | undefined;

  constructor(network: Network, url: string) {
    super();
    this.#network = network;
    this.url = String(url);
    network.open(this);
  }

  send(frame: string): void {
    if (this.readyState === CONNECTING) throw new CampaignSyncError("invalid_argument", { message: "The socket is not open yet." });
    if (typeof frame !== "string") throw new CampaignSyncError("invalid_argument", { message: "frame must be a text." });
    const conversation = this.#conversation;
    if (this.readyState === OPEN) this.#network.carry(() => this.readyState === OPEN && conversation?.receive(frame));
  }

  close(code = 1000): void {
    if (this.readyState >= CLOSING) return;
    this.readyState = CLOSING;
    this.#network.post(() => this.end(code));
  }

  /** The server accepted the socket. */
  begin(conversation: Conversation): void {
    this.#conversation = conversation;
    this.readyState = OPEN;
    this.#emit("open");
  }

  deliver(data: string): void {
    if (this.readyState === OPEN) this.#emit("message", { data });
  }

  end(code: number): void {
    if (this.readyState === CLOSED) return;
    const wasClean = code !== ABNORMAL;
    this.readyState = CLOSED;
    this.#network.release(this);
    this.#conversation?.closed();
    if (!wasClean) this.#emit("error");
    this.#emit("close", { code, reason: "", wasClean });
  }

  #emit(type: "open" | "message" | "close" | "error", members: object = {}): void {
    const event = Object.assign(new Event(type), members);
    callSafely(() => this[`on${type}`]?.(event));
    this.dispatchEvent(event);
  }
}
