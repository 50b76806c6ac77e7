/** The panel that breaks the network. The page shows it only if the server injects faults. */
import type { FaultSettings, RestClient } from "campaign-sync/rest";

import { byId, element } from "./dom.js";

/** The switches, with the settings that each applies while it is on. */
const SWITCHES: readonly (readonly [name: string, settings: Partial<FaultSettings>])[] = [
  ["drop", { drop: 0.05 }],
  ["duplicate", { duplicate: 0.05 }],
  ["reorder", { reorder: 0.05 }],
  ["delay", { delayMs: 800 }],
  ["corrupt", { corrupt: 0.05 }],
];

/** Fills the panel and shows it, if the server injects faults. */
export async function showFaults(rest: RestClient, showError: (problem: string) => void): Promise<void> {
  const initial: Readonly<Record<string, unknown>> | undefined = await rest.faults().catch(() => undefined);
  if (initial === undefined) return;
  const isOn = (settings: object): boolean => Object.keys(settings).some((key) => Number(initial[key] ?? 0) > 0);
  const on = new Set(SWITCHES.filter(([, settings]) => isOn(settings)).map(([name]) => name));
  const list = byId("fault-buttons");
  const attempt = async (action: () => Promise<unknown>): Promise<boolean> => {
    try {
      await action();
      showError("");
      return true;
    } catch (error) {
      showError(`The server refused the request: ${String(error)}`);
      return false;
    }
  };

  for (const [name] of SWITCHES) {
    const button = element("button", { type: "button", "data-testid": `fault-${name}` }, name);
    const show = (): void => button.setAttribute("aria-pressed", String(on.has(name)));
    show();
    button.addEventListener("click", () => {
      const wanted = new Set(on);
      if (!wanted.delete(name)) wanted.add(name);
      const settings = Object.assign({}, ...SWITCHES.filter(([key]) => wanted.has(key)).map(([, it]) => it)) as FaultSettings;
      void attempt(() => rest.setFaults(settings)).then((done) => {
        if (!done) return;
        if (wanted.has(name)) on.add(name);
        else on.delete(name);
        show();
      });
    });
    list.append(button);
  }
  for (const [kind, label] of [["cut", "cut the socket"], ["kill", "kill the server"]] as const) {
    const button = element("button", { type: "button", class: "danger", "data-testid": `fault-${kind}` }, label);
    // A killed server loses its fault settings.
    button.addEventListener("click", () => void attempt(() => rest.injectFault(kind)).then((done) => done && kind === "kill" && forget()));
    list.append(button);
  }
  const forget = (): void => {
    on.clear();
    for (const button of list.querySelectorAll("[aria-pressed]")) button.setAttribute("aria-pressed", "false");
  };
  byId("faults").hidden = false;
}
