/**
 * `campaign-sync/original`: the same machine for servers of the original dialect, too. Take `init` from
 * here instead of from `campaign-sync`; everything else stays as it is. The module is larger by the
 * readers of that dialect, so the main one does without them.
 */
import * as generated from "../wasm/original/campaign_sync.js";
import { CampaignSyncError } from "./errors.js";
import { Loader, type InitInput } from "./module.js";
import type { RestOptions } from "./rich.js";

export type { InitInput, RestOptions };

/** Rows per request: as many as those servers give. */
const PAGE_ROWS = 1000;

const loader = new Loader(generated, 2);

/** Loads the machine that speaks both dialects; as `init` of `campaign-sync` otherwise. */
export function init(input?: InitInput | Promise<InitInput>): Promise<void> {
  return loader.load(input);
}

/** Makes the machine that speaks both dialects from bytes or a compiled module that are at hand already. */
export function initSync(input: BufferSource | WebAssembly.Module): void {
  loader.loadSync(input);
}

/**
 * A ready `fetchSnapshot` for the REST interface of such servers: the campaign, then its domains and
 * the results of its validations, page by page. It answers with all of it or fails with `fetch_failed`.
 */
export function restSnapshots({ baseUrl = "/api/v2", fetch }: RestOptions = {}): (campaignId: string) => Promise<object> {
  const read = async (path: string): Promise<unknown> => {
    try {
      // `no-store`: the browser's own cache knows nothing of the stream.
      const answer = await (fetch ?? globalThis.fetch)(`${baseUrl}/campaigns/${path}`, { cache: "no-store", headers: { accept: "application/json" } });
      if (answer.ok) return unwrap(await answer.json());
    } catch (cause) {
      throw new CampaignSyncError("fetch_failed", { cause });
    }
    throw new CampaignSyncError("fetch_failed");
  };
  const list = async (id: string, name: string): Promise<unknown[]> => {
    const rows: unknown[] = [];
    for (let cursor: unknown; ; ) {
      const query = cursor === undefined ? "" : `&cursor=${encodeURIComponent(String(cursor))}`;
      const page = (await read(`${id}/results/${name}?limit=${PAGE_ROWS}${query}`)) as { data?: unknown[] | null; nextCursor?: unknown };
      rows.push(...(page.data ?? []));
      // A cursor that stays where it is would go on for ever.
      if (page.nextCursor == null || page.nextCursor === cursor || !page.data?.length) return rows;
      cursor = page.nextCursor;
    }
  };
  return async (campaignId) => {
    const id = encodeURIComponent(campaignId);
    // The campaign first: what the lists say is then at least as new as its phase.
    const campaign = await read(id);
    const [domains, dnsResults, httpResults] = await Promise.all(["generated-domains", "dns-validation", "http-keyword"].map((name) => list(id, name)));
    return { campaignId, campaign, domains, dnsResults, httpResults };
  };
}

/** Takes an answer out of its envelope, `{status, data}` of older servers or `{success, data}`. */
function unwrap(body: unknown): unknown {
  const { success, status, data } = (body ?? {}) as { success?: boolean; status?: string; data?: unknown };
  if (success === false || status === "error") throw new CampaignSyncError("fetch_failed");
  return success === true || status === "success" ? data : body;
}
