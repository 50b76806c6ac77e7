// Helpers that several test files use.
import { CampaignSync, initSync } from "../../dist/index.js";
import { VERSION } from "../../dist/version.js";
import { machines } from "./machine.js";

/** Where the copies of the package on a page keep the modules that they share. */
const MODULES = Symbol.for(`campaign-sync.modules ${VERSION}`);

/** Forgets the loaded modules, as a new page does. Returns a function that brings them back. */
export function startPage() {
  const former = Object.getOwnPropertyDescriptor(globalThis, MODULES);
  delete globalThis[MODULES];
  Object.defineProperty(globalThis, MODULES, { value: { loads: {}, hosts: new Map(), last: 0 }, configurable: true });
  return () => former && Object.defineProperty(globalThis, MODULES, former);
}

/** The smallest module that can start: one function, `client_call`, which does nothing. */
export const MODULE = Uint8Array.from([
  [0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // The header.
  [0x01, 0x04, 0x01, 0x60, 0x00, 0x00], // One type, () -> ().
  [0x03, 0x02, 0x01, 0x00], // One function of it.
  [0x07, 0x0f, 0x01, 0x0b, ...new TextEncoder().encode("client_call"), 0x00, 0x00], // Its name.
  [0x0a, 0x04, 0x01, 0x02, 0x00, 0x0b], // Its body.
].flat());

/** Creates a client with a fresh fake machine. */
export function makeSync(options = {}) {
  initSync(MODULE);
  const sync = new CampaignSync({ target: null, ...options });
  sync.metrics(); // The first use creates the machine.
  return { sync, machine: machines.at(-1) };
}

/** Waits for two runs of the frame scheduler on a platform without animation frames. */
export const nextFrame = () => new Promise((resolve) => setTimeout(resolve, 40));

/** Returns a promise together with its `resolve` and `reject`. */
export function deferred() {
  const ends = {};
  const promise = new Promise((resolve, reject) => Object.assign(ends, { resolve, reject }));
  return { promise, ...ends };
}

/** Runs the promise jobs that are due. */
export async function settle() {
  for (let turn = 0; turn < 20; turn++) await Promise.resolve();
}

/** Collects the errors that are reported while `run` runs, instead of printing them. */
export async function collectReports(run) {
  const reports = [];
  const report = console.error;
  console.error = (error) => reports.push(error);
  try {
    await run();
  } finally {
    console.error = report;
  }
  return reports;
}
