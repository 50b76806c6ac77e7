/** Unpacks the modules that the default entries carry. The CommonJS form has its own version of this file. */
import { CampaignSyncError } from "./errors.js";
import { platform } from "./platform.js";

/**
 * Returns the bytes of the module behind base64 of its gzip. Throws `unsupported_browser` without `DecompressionStream`.
 * The bytes are local, so compiling them as a stream would gain nothing, and Bun ends a program that only waits for it.
 */
export function unpack(text: string): Promise<ArrayBuffer> {
  if (platform.DecompressionStream === undefined) {
    throw new CampaignSyncError("unsupported_browser", { message: "This browser lacks DecompressionStream: use `campaign-sync/external`." });
  }
  const packed = new Response(Uint8Array.from(atob(text), (digit) => digit.charCodeAt(0))).body!;
  return new Response(packed.pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
}
