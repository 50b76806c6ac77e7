/** The part of the server's REST interface that the page uses. */

const BASE = "/api/v2";

/** A refusal of the server. */
export class RefusalError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status: number) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

/** The answer to a request. */
export interface Answer {
  readonly body: unknown;
  /** The position of the campaign's log, as `epoch/number`. */
  readonly position: string | null;
}

async function request(method: string, path: string, body?: object): Promise<Answer> {
  const answer = await fetch(BASE + path, {
    method,
    cache: "no-store",
    ...(body !== undefined && { body: JSON.stringify(body), headers: { "content-type": "application/json" } }),
  });
  const text = await answer.text();
  const content: unknown = text === "" ? null : parse(text);
  if (!answer.ok) {
    const error = (content as { error?: { code?: string; message?: string } } | null)?.error;
    throw new RefusalError(error?.code ?? "internal", error?.message ?? `status ${answer.status}`, answer.status);
  }
  return { body: content, position: answer.headers.get("campaign-position") };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** The settings of a new campaign. */
export interface NewCampaign {
  readonly name: string;
  readonly count: number;
  readonly seed: number;
  readonly rate: number;
}

/** Creates a campaign and returns its id. */
export async function createCampaign(settings: NewCampaign): Promise<string> {
  const { body } = await request("POST", "/campaigns", settings);
  const id = (body as { campaign?: { campaignId?: string } } | null)?.campaign?.campaignId;
  if (id === undefined) throw new RefusalError("internal", "the server did not name the new campaign", 200);
  return id;
}

/** Runs an operation of a campaign. `action` is the last part of its route. */
export function act(campaignId: string, action: string): Promise<Answer> {
  return request("POST", `/campaigns/${encodeURIComponent(campaignId)}/${action}`, {});
}

/** The settings of the fault injection, by name. */
export type FaultSettings = Readonly<Record<string, number>>;

/** Returns the current settings; `null` if the server does not inject faults. */
export async function faults(): Promise<FaultSettings | null> {
  try {
    return ((await request("GET", "/faults")).body ?? {}) as FaultSettings;
  } catch (error) {
    if (error instanceof RefusalError) return null;
    throw error;
  }
}

/** Replaces the settings. A setting that is absent is off. */
export function setFaults(settings: FaultSettings): Promise<Answer> {
  return request("POST", "/faults", settings);
}

/** Cuts the sockets, or kills the server. */
export function injectFault(kind: "cut" | "kill"): Promise<Answer> {
  return request("POST", `/faults/${kind}`);
}
