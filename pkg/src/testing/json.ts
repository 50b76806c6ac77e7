import type { ErrorCode } from "../words.js";
/** Reads the messages of clients as strictly as the contract wants it (docs/PROTOCOL.md, chapters 2 and 6). */

/** A message of a client: the fields of `payload` and of the top level together. */
export interface ClientMessage {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Reads one document. Returns the code of a refusal for anything else than a message. */
export function readMessage(text: string): ClientMessage | ErrorCode {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return "invalid_json";
  }
  if (isAmbiguous(text)) return "ambiguous_envelope";
  if (!isObject(document) || typeof document["type"] !== "string") return "invalid_message";
  const { payload, ...rest } = document;
  return { ...rest, ...(isObject(payload) && document["type"] !== "connection_init" && payload), type: document["type"] };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Whether an object of valid JSON repeats a member, or writes a member name with escapes. */
function isAmbiguous(text: string): boolean {
  const objects: Set<string>[] = [];
  for (const [token, name, colon] of text.matchAll(/("(?:[^"\\]|\\.)*")(\s*:)?|[{}]/g)) {
    if (token === "{") objects.push(new Set());
    else if (token === "}") objects.pop();
    else if (colon !== undefined) {
      const names = objects.at(-1)!;
      if (name!.includes("\\") || names.has(name!)) return true;
      names.add(name!);
    }
  }
  return false;
}
