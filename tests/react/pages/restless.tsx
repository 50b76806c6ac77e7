// Components that send a request after every answer.
import { act, createElement, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { createTestServer } from "campaign-sync/testing";

const later = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The effects of the components, by their names. Each runs after the render number `n`, and sends requests by `ask`. */
const COMPONENTS: Record<string, (ask: () => Promise<void>, n: number, render: (n: number) => void) => Promise<void>> = {
  "renders after each answer": async (ask, n, render) => {
    await ask();
    render(n + 1);
  },
  "renders a millisecond after each answer": async (ask, n, render) => {
    await ask();
    await later(1);
    render(n + 1);
  },
  "asks again at once": async (ask, n) => {
    while (n === 0) await ask();
  },
  "asks again soon": async (ask, n) => {
    while (n === 0) {
      await ask();
      await later(5);
    }
  },
  "asks again at once, and renders": async (ask, n, render) => {
    for (let at = 1; n === 0; at++) {
      await ask();
      render(at);
    }
  },
};

export const names = Object.keys(COMPONENTS);

/** Returns the code with which `settled()` rejects, and whether the server works after `resume()`. */
export async function settledBeside(name: string): Promise<unknown[]> {
  const server = createTestServer({ act: act as never });
  let isMounted = true;
  const ask = async (): Promise<void> => {
    if (!isMounted) return new Promise(() => undefined);
    await server.fetch(`${server.baseUrl}/campaigns`).then((answer) => answer.json()).catch(() => undefined);
  };
  const Restless = (): null => {
    const [n, render] = useState(0);
    useEffect(() => void COMPONENTS[name]?.(ask, n, render), [n]);
    return null;
  };
  const root = createRoot(document.createElement("div"));
  act(() => root.render(createElement(Restless)));
  const code = await server.settled().then(() => "none", (error: { code: string }) => error.code);
  isMounted = false;
  act(() => root.unmount());
  server.resume();
  await server.settled();
  server.close();
  return [code, "works"];
}
