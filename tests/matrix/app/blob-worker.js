import { start } from "./page.js";

/** The bundled worker, started from a blob: it has no address. */
start(async (options) => {
  const script = await (await fetch("/worker.js")).blob();
  const worker = new Worker(URL.createObjectURL(script));
  worker.postMessage(options);
  return new Promise((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onerror = ({ message }) => resolve({ error: message });
  });
});
