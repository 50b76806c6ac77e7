/**
 * The time of the test server. Frames travel in microtasks, which no library for fake timers replaces. Waiting uses the
 * timers that the platform had when this file was loaded, and moves a faked clock by itself.
 */
import { CampaignSyncError } from "./errors.js";
import { FrameTask } from "./frame.js";

/** A clock that stands in for the platform's: that of `@sinonjs/fake-timers`, which Jest, Vitest and Sinon use. */
interface FakeClock {
  tick(ms: number): unknown;
}

/** Moves the application's faked clock by a number of milliseconds. */
export type AdvanceTimers = (ms: number) => void | Promise<void>;

const platformSetTimeout: typeof setTimeout | undefined = globalThis.setTimeout;

/** One animation frame, in milliseconds: a faked clock that moves this far runs the next frame. */
const FRAME_MS = 16;
/** Longest wait for a frame, in turns: a few seconds. */
const TURNS_MAX = 2_000;

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
  if (platformSetTimeout !== undefined && clockOf(platformSetTimeout) === undefined) {
    return new Promise((resolve) => void platformSetTimeout(resolve, 0));
  }
  // The timers were faked before this file was loaded.
  for (let i = 0; i < 100; i++) await undefined;
}

/** Waits for the next animation frame, in which clients call their listeners. */
export async function nextFrame(advance: AdvanceTimers | undefined): Promise<void> {
  let isOver = false;
  // The frames of clients are older than this one, and run before it.
  const frame = new FrameTask(() => (isOver = true));
  frame.schedule();
  await moveClock(FRAME_MS, advance);
  try {
    for (let turns = 0; !isOver; turns++) {
      if (turns === TURNS_MAX) throw frozen();
      await nextTurn();
    }
  } finally {
    frame.cancel();
  }
}

/** Lets time pass: of a faked clock at once, and otherwise of the platform's. */
export async function pass(ms: number, advance: AdvanceTimers | undefined): Promise<void> {
  if (await moveClock(ms, advance)) return;
  if (platformSetTimeout === undefined || clockOf(platformSetTimeout) !== undefined) throw frozen();
  await new Promise((resolve) => void platformSetTimeout(resolve, ms));
}

/** Returns whether the application's timers are faked, and moves them then. */
async function moveClock(ms: number, advance: AdvanceTimers | undefined): Promise<boolean> {
  if (advance !== undefined) {
    await advance(ms);
    return true;
  }
  const clock = fakeClock();
  clock?.tick(ms);
  return clock !== undefined;
}

function frozen(): CampaignSyncError {
  const message = "The timers are faked in a way that the test server does not know: pass the option `advanceTimers`.";
  return new CampaignSyncError("timed_out", { message });
}
