/** Short messages in a corner of the page. */
import { useSyncEvent } from "campaign-sync/react";
import { useState } from "react";
import { phaseName, plain } from "./format.js";

interface Toast {
  key: number;
  tone: "good" | "bad";
  text: string;
}

/** Toasts that stay on the page at a time. */
const TOASTS_MAX = 5;

export function Toasts() {
  const [toasts, setToasts] = useState<readonly Toast[]>([]);
  const add = (tone: Toast["tone"], text: string) =>
    setToasts((shown) => [...shown, { key: (shown.at(-1)?.key ?? 0) + 1, tone, text }].slice(-TOASTS_MAX));
  const dismiss = (key: number) => setToasts((shown) => shown.filter((it) => it.key !== key));
  useSyncEvent("phasetransition", ({ detail: { newPhase, newStatus } }) => add("good", `${phaseName(newPhase)}: ${plain(newStatus)}`));
  useSyncEvent("transitionrefused", ({ detail: { newPhase, code } }) => add("bad", `${phaseName(newPhase)} was refused (${code})`));
  useSyncEvent("ended", ({ detail: { reason } }) => add("bad", `A campaign was ${plain(reason)}`));
  return (
    <ol className="toasts" aria-label="Messages" aria-live="polite">
      {toasts.map(({ key, tone, text }) => (
        <li key={key} className={`toast ${tone}`}>
          <span>{text}</span>
          <button type="button" aria-label={`Dismiss: ${text}`} onClick={() => dismiss(key)}>
            ×
          </button>
        </li>
      ))}
    </ol>
  );
}
