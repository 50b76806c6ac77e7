/** The log of detected faults and their recovery, newest first. */
import type { CampaignSync, CampaignSyncEventMap, CampaignSyncEventType } from "campaign-sync";

import { byId, element, setText } from "./dom.js";
import { clock, count, phaseName, plain } from "./words.js";

/** Maximum number of entries. */
const ENTRIES_MAX = 200;
/** Equal entries within this time become one entry, in milliseconds. */
const SAME_WITHIN_MS = 2000;
/** Number of newest entries that are searched for an equal one. */
const LOOK_BACK = 8;

type Tone = "detected" | "healed" | "news";
type Describe<K extends CampaignSyncEventType> = (detail: CampaignSyncEventMap[K]) => string | undefined;

/** The text of the entry per kind of event; `undefined` for no entry. */
const SENTENCES: { readonly [K in CampaignSyncEventType]?: readonly [tone: Tone, describe: Describe<K>] } = {
  gap: ["detected", (it) => `Gap: expected event ${it.expected}, received ${it.received}.`],
  corrupt: ["detected", () => "An event did not match its hash; it was not applied."],
  duplicate: ["detected", () => "A duplicate event was dropped."],
  divergence: ["detected", (it) => `The histories differ (${plain(it.kind)}); the whole state is fetched.`],
  rejected: ["detected", (it) => `A message was refused (${plain(it.code)}).`],
  transitionrefused: ["detected", (it) => `The move to ${phaseName(it.newPhase)} was refused (${plain(it.code)}); nothing changed.`],
  recoveryrequested: ["news", (it) => `Requested missing data (${plain(it.reason)}).`],
  recovered: [
    "healed",
    (it) =>
      it.outcome === "current"
        ? `No events were missed; confirmed after ${Math.round(it.durationMs)} ms.`
        : `Recovered by ${it.outcome} in ${Math.round(it.durationMs)} ms: ${count(it.events, "event")}.`,
  ],
  consistency: [
    "detected",
    (it) => (it.ok ? undefined : `The rows differ from the server's by ${count(it.difference ?? 0, "row")}; they are compared in parts.`),
  ],
  repaired: ["healed", (it) => `Repaired ${count(it.rows, "row")} in ${count(it.buckets, "part")}.`],
  unconfirmed: ["detected", (it) => `${count(it.rows, "row")} not in the snapshot; kept as unconfirmed.`],
  phasetransition: [
    "news",
    (it) => `${it.initial ? "Loaded in phase" : "Phase"}: ${phaseName(it.newPhase)}, ${plain(it.newStatus)}${it.recovered ? " (found during recovery)" : ""}.`,
  ],
  phasestatuschange: ["news", (it) => `${phaseName(it.phase)}: ${plain(it.to)}${it.recovered ? " (found during recovery)" : ""}.`],
  connectionchange: [
    "news",
    (it) => {
      if (it.state === "open") return "Connected.";
      if (it.state === "waiting") {
        const reason = it.code === undefined ? "" : ` (${plain(it.code)})`;
        return `Connection lost${reason}; attempt ${it.attempt} in ${Math.round(it.retryInMs ?? 0)} ms.`;
      };
      return it.state === "failed" ? `The connection failed (${plain(it.code ?? "internal")}).` : undefined;
    },
  ],
  notification: ["news", (it) => `The server says: ${it.message}`],
  ended: ["news", (it) => `The campaign ended (${plain(it.reason)}).`],
};

interface Entry {
  readonly key: string;
  readonly item: HTMLElement;
  readonly text: HTMLElement;
  readonly times: HTMLElement;
  readonly since: number;
  sentence: string;
  repeats: number;
}

/** The log on the page. It collects entries and paints them once per frame. */
export class Log {
  readonly #list = byId("log");
  readonly #entries: Entry[] = [];
  readonly #touched = new Set<Entry>();
  #pending = false;

  /** Listens to every kind of event in `SENTENCES`. */
  constructor(sync: CampaignSync) {
    for (const type of Object.keys(SENTENCES) as CampaignSyncEventType[]) this.#listen(sync, type);
  }

  #listen<K extends CampaignSyncEventType>(sync: CampaignSync, type: K): void {
    const [tone, describe] = SENTENCES[type] as readonly [Tone, Describe<K>];
    sync.addEventListener(type, (event) => {
      const sentence = describe(event.detail);
      if (sentence !== undefined) this.#add(type, tone, sentence);
    });
  }

  /** Adds an entry. Entries that differ in numbers only become one entry with a count. */
  #add(kind: string, tone: Tone, sentence: string): void {
    const now = performance.now();
    const key = sentence.replace(/\d[\d,]*/g, "#");
    const last = this.#entries.slice(0, LOOK_BACK).find((entry) => entry.key === key);
    if (last !== undefined && now - last.since < SAME_WITHIN_MS) {
      last.repeats += 1;
      last.sentence = sentence;
      this.#touched.add(last);
    } else {
      const [text, times] = [element("span", {}), element("span", { class: "times" })];
      const item = element("li", { "data-kind": kind, "data-tone": tone }, element("time", {}, clock(new Date())), text, times);
      const entry = { key, item, text, times, since: now, sentence, repeats: 1 };
      this.#entries.unshift(entry);
      this.#touched.add(entry);
    }
    if (this.#pending) return;
    this.#pending = true;
    requestAnimationFrame(() => this.#paint());
  }

  #paint(): void {
    this.#pending = false;
    for (const gone of this.#entries.splice(ENTRIES_MAX)) {
      this.#touched.delete(gone);
      gone.item.remove();
    }
    for (const entry of this.#touched) {
      setText(entry.text, entry.sentence);
      setText(entry.times, entry.repeats > 1 ? `×${entry.repeats.toLocaleString("en")}` : "");
      if (!entry.item.isConnected) this.#list.prepend(entry.item);
    }
    this.#touched.clear();
  }
}
