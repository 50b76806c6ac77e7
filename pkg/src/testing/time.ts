/**
 * The time of the test server. Frames travel in microtasks, which no library for fake timers replaces. Only waiting needs
 * a clock: that of the platform, or the one that stands in for it, which is moved.
 */
import { CampaignSyncError } from "../errors.js";
import { FrameTask } from "../frame.js";

/** A clock that stands in for the platform's: that of `@sinonjs/fake-timers`, which Jest, Vitest and Sinon use. */
interface FakeClock {
  tick(ms: number): unknown;
}

/** Moves the application's faked clock by a number of milliseconds. */
export type AdvanceTimers = (ms: number) => void | Promise<void>;

/** One animation frame, in milliseconds: a faked clock that moves this far runs the next frame. */
const FRAME_MS = 16;
/** Milliseconds, and turns, after which a timer that is due at once counts as faked. */
const [FROZEN_MS, TURNS_MAX] = [2_000, 1_000_000];
/** Microtasks in which promises of an application go on, where nothing else ends a task. */
const MICROTASKS = 100;

function clockOf(timer: unknown): FakeClock | undefined {
  const { clock } = (timer ?? {}) as { clock?: FakeClock };
  return typeof clock?.tick === "function" ? clock : undefined;
}

/** The clock that moves the application's timers, if they are faked in a known way. */
function fakeClock(): FakeClock | undefined {
  return clockOf(globalThis.setTimeout) ?? clockOf(globalThis.requestAnimationFrame);
}

/** Ends this task, so that promises of the application go on. */
export async function nextTurn(): Promise<void> {
  if (typeof MessageChannel === "function") {
    return new Promise((resolve) => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    });
  }
  // Jest's environment `jsdom` has no channels.
  const isMock = (globalThis.setTimeout as { _isMockFunction?: boolean })._isMockFunction === true;
  if (!isMock && clockOf(globalThis.setTimeout) === undefined) return new Promise((resolve) => void setTimeout(resolve, 0));
  for (let i = 0; i < MICROTASKS; i++) await undefined;
}

/** Waits for the next animation frame, in which clients call their listeners. */
export async function nextFrame(advance: AdvanceTimers | undefined): Promise<void> {
  let isOver = false;
  let end = (): void => undefined;
  const ended = new Promise<void>((resolve) => (end = resolve));
  // The frames of clients are older than this one, and run before it.
  const frame = new FrameTask(() => {
    isOver = true;
    end();
  });
  frame.schedule();
  try {
    if (await moveClock(FRAME_MS, advance)) return await turnsUntil(() => isOver);
    await provenReal();
    await ended;
  } finally {
    frame.cancel();
  }
}

/** Lets time pass: of a faked clock at once, and otherwise of the platform's. */
export async function pass(ms: number, advance: AdvanceTimers | undefined): Promise<void> {
  if (await moveClock(ms, advance)) return;
  await provenReal();
  await new Promise((resolve) => void setTimeout(resolve, ms));
}

/** Returns whether the application's timers are faked, and moves them then. */
async function moveClock(ms: number, advance: AdvanceTimers | undefined): Promise<boolean> {
  const clock = fakeClock();
  if (advance !== undefined) await advance(ms);
  else clock?.tick(ms);
  return advance !== undefined || clock !== undefined;
}

/** Rejects with `timed_out` if the platform's timers stand still, because they are faked in an unknown way. */
async function provenReal(): Promise<void> {
  let isReal = false;
  const timer = setTimeout(() => (isReal = true), 0);
  try {
    await turnsUntil(() => isReal);
  } finally {
    clearTimeout(timer);
  }
}

/** Ends tasks until something has happened. Rejects with `timed_out` after seconds, or many turns of a clock that stands still. */
async function turnsUntil(hasHappened: () => boolean): Promise<void> {
  const began = performance.now();
  for (let turns = 0; !hasHappened(); turns++) {
    if (turns >= TURNS_MAX || performance.now() - began >= FROZEN_MS) throw frozen();
    await nextTurn();
  }
}

function frozen(): CampaignSyncError {
  const message = "The timers are faked in a way that the test server does not know: pass the option `advanceTimers`.";
  return new CampaignSyncError("timed_out", { message });
}

let turns: Promise<unknown> = Promise.resolve();

/** Runs one `act` after the other, those of other servers, too: React does not support overlapping ones. */
export async function inTurn(run: () => Promise<void>): Promise<void> {
  const turn = turns.then(run);
  turns = turn.catch(() => undefined);
  return turn;
}

/** The error for an application that keeps sending requests. */
export function restless(): CampaignSyncError {
  return new CampaignSyncError("timed_out", { message: "The application never came to rest." });
}
