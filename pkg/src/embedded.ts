/** Unpacks the modules that the default entries carry. The CommonJS form has its own version of this file. */
import { CampaignSyncError } from "./errors.js";
import { platform } from "./platform.js";

/** Returns the module behind base64 of its gzip. Throws `unsupported_browser` without `DecompressionStream`. */
export function unpack(text: string): Response {
  if (platform.DecompressionStream === undefined) {
    throw new CampaignSyncError("unsupported_browser", { message: "This browser lacks DecompressionStream: use `campaign-sync/external`." });
  }
  const packed = new Response(Uint8Array.from(atob(text), (digit) => digit.charCodeAt(0))).body!;
  return new Response(packed.pipeThrough(new DecompressionStream("gzip")), { headers: { "content-type": "application/wasm" } });
}
