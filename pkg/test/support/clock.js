// Faked timers, as Jest, Vitest and Sinon have them. Those of Node's event loop stay: the test runner needs them.
import FakeTimers from "@sinonjs/fake-timers";

/** Runs a test with faked timers, and passes their clock to it. */
export async function withFakeClock(run) {
  const clock = FakeTimers.install({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval", "Date", "performance"] });
  try {
    await run(clock);
  } finally {
    clock.uninstall();
  }
}
