/** Checks the options of a client, in its constructor. */
import { checkedMembers, DURATION, FUNCTION, invalidArgument, oneOf, orNull, TEXT, withMethods, type Rules } from "./check.js";
import { CampaignSyncError } from "./errors.js";
import { platform } from "./platform.js";
import type { WebSocketConstructor } from "./transport.js";
import type { CampaignSyncOptions } from "./types.js";

/** The options, checked. */
export interface CheckedOptions extends CampaignSyncOptions {
  /** The sockets that the client opens; absent if the application brings the transport. */
  socket?: { readonly url: string; readonly WebSocket: WebSocketConstructor };
}

export const RULES: Rules<CampaignSyncOptions> = {
  url: TEXT,
  // An arrow function is no constructor, which `Reflect.construct` refuses.
  WebSocket: [(it) => Boolean(Reflect.construct(Object, [], it as WebSocketConstructor)), "a constructor"],
  transport: oneOf("websocket", "manual"),
  token: FUNCTION,
  onUnauthorized: FUNCTION,
  fetchSnapshot: FUNCTION,
  target: orNull(withMethods("addEventListener", "removeEventListener", "dispatchEvent")),
  log: [(it) => typeof it === "boolean" || typeof it === "function", "true, false or a function"],
  lingerMs: DURATION,
};

/** Checks and copies the options. Throws `invalid_argument`, and `no_websocket` on a platform without WebSockets. */
export function checkedOptions(options: CampaignSyncOptions): CheckedOptions {
  const copy: CheckedOptions = checkedMembers("options", options, RULES);
  if (copy.url === undefined) {
    if (copy.transport === "websocket") throw invalidArgument("url", "an address, or the transport is `manual`");
    return copy;
  }
  const url = socketAddress(copy.url);
  if (copy.transport === "manual") return copy;
  const { WebSocket = platform.WebSocket } = copy;
  if (WebSocket === undefined) throw new CampaignSyncError("no_websocket");
  copy.socket = { url, WebSocket };
  return copy;
}

/** Makes an address absolute, as `fetch` does, and turns `http` into `ws`. Some browsers' WebSocket does neither. */
function socketAddress(url: string): string {
  const { document, location } = platform;
  try {
    const address = new URL(url, document?.baseURI ?? location?.href);
    address.protocol = address.protocol.replace("http", "ws");
    if (url !== "" && /^wss?:$/.test(address.protocol) && !address.href.includes("#")) return address.href;
  } catch {
    // No address, or a relative one where nothing has an address.
  }
  throw invalidArgument("url", "an address of ws(s) or http(s) without #, absolute or relative to the page");
}
