/** The test server in place of `fetch`: requests that abort, requests without an answer, and the globals of a page. */

/** The globals that a server replaces. */
type Globals = Pick<typeof globalThis, "WebSocket" | "fetch">;

/** The replacements in place, the last one at the end, each with what it replaced. */
const replacements: { readonly by: Globals; replaced: Globals }[] = [];

/**
 * Replaces globals, and returns a function that ends it. Several servers may do so, and end in any order: the globals are
 * always those of the last one that has not ended.
 */
export function replaceGlobals(by: Globals): () => void {
  const { WebSocket, fetch } = globalThis;
  const own = { by, replaced: { WebSocket, fetch } };
  replacements.push(own);
  Object.assign(globalThis, by);
  return () => {
    const later = replacements[replacements.indexOf(own) + 1];
    replacements.splice(replacements.indexOf(own), 1);
    if (later !== undefined) later.replaced = own.replaced;
    // A value that other code has put there meanwhile stays.
    else for (const name of ["WebSocket", "fetch"] as const) if (globalThis[name] === by[name]) Object.assign(globalThis, { [name]: own.replaced[name] });
  };
}

/** The failure of a request that reaches no server. */
export function unreachable(): TypeError {
  return new TypeError("Failed to fetch: the test server is stopped or closed.");
}

/** Waits for the arrival of a request, then answers it. Rejects as soon as the signal of the request aborts, as `fetch` does. */
export async function untilAborted<T>(input: RequestInfo | URL, init: RequestInit, arrival: Promise<void>, answer: () => Promise<T>): Promise<T> {
  const signal = init.signal ?? (typeof input === "object" && "url" in input ? input.signal : undefined);
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_, reject) => (abort = () => reject(signal?.reason as Error)));
  if (signal?.aborted === true) abort();
  signal?.addEventListener("abort", abort);
  try {
    await Promise.race([aborted, arrival]);
    return await Promise.race([aborted, answer()]);
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}
