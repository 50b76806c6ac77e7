/** The errors of answers over REST and of fetchers. Only a page that uses an adapter downloads their sentences. */
import { CampaignSyncError, cut, describe, isErrorCode } from "./errors.js";

/** The error for answers that stay too old. */
export function behind(): CampaignSyncError {
  return new CampaignSyncError("behind", { message: "The server's answers stay older than the page: try again later." });
}

/** The error for an answer of another shape. */
export function invalidContent(cause?: unknown): CampaignSyncError {
  const where = cause === undefined ? "" : ` (${cut(describe(cause), 50)})`;
  return new CampaignSyncError("invalid_content", { cause, message: `The content breaks its schema${where}: correct the server or the fetcher.` });
}

/** The error of a request without a usable answer. `detail` says what came instead; the text of `cause` if absent. */
export function noAnswer(cause?: unknown, detail = describe(cause)): CampaignSyncError {
  return new CampaignSyncError("fetch_failed", { cause, message: `No usable answer (${cut(detail, 60)}): check the network and the address.` });
}

/** The error of a refusal: the server's code and text, or the status if it has none. */
export function refusalOf(status: number, body: unknown): CampaignSyncError {
  const { code, message } = Object((body as { error?: unknown } | null | undefined)?.error) as { code?: unknown; message?: unknown };
  const text = typeof message === "string" ? message : undefined;
  const cause = { status, code };
  return isErrorCode(code) ? new CampaignSyncError(code, { cause, message: text }) : noAnswer(cause, text ?? `status ${status}`);
}
