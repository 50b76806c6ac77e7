/** Gives the browser its turn between two steps of long work. */
import { platform } from "../platform.js";
import { startTimer } from "../frame.js";

/**
 * Resolves in a later task, so that the page can draw and take events before. A timer would wait 4 ms each time, and a
 * second in a hidden page.
 */
export function nextTask(): Promise<void> {
  return new Promise((resolve) => {
    try {
      const { port1, port2 } = new platform.MessageChannel!();
      port1.onmessage = () => {
        port1.close();
        resolve();
      };
      port2.postMessage(null);
    } catch {
      // The environment of a test may have no channels.
      startTimer(0, resolve);
    }
  });
}
