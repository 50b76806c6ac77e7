/** The start of a page: it follows the campaign that its address names, and leaves the outcome for the runner. */
import { follow } from "./follow.js";

export function start(run = follow) {
  const parameters = new URLSearchParams(location.search);
  run({ url: parameters.get("url"), campaignId: parameters.get("campaign") }).then(
    (outcome) => (globalThis.outcome = outcome),
    (error) => (globalThis.outcome = { error: `${error.code ?? error.name}: ${error.message} ${error.cause ?? ""}` }),
  );
}
