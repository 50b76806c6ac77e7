// The HTTP requests that the runner needs beside the WebSocket, as a server file describes them.

import { readFile } from "node:fs/promises";

import { Failure, Unusable } from "./failure.mjs";

const ANSWER_MS = 15_000;

/** Replaces `$name` in texts by the value. A text that is only `$name` becomes the value itself, with its type. */
export function filled(template, values) {
  if (typeof template === "string") {
    const whole = /^\$([A-Za-z]+)$/.exec(template);
    if (whole && values[whole[1]] !== undefined) return values[whole[1]];
    return template.replace(/\$([A-Za-z]+)/g, (text, name) => values[name] ?? text);
  }
  if (Array.isArray(template)) return template.map((item) => filled(item, values));
  if (template === null || typeof template !== "object") return template;
  return Object.fromEntries(Object.entries(template).map(([name, item]) => [name, filled(item, values)]));
}

/** Reads a server file. Throws `Unusable` if it is not valid. */
export async function readServer(path) {
  let server;
  try {
    server = JSON.parse(await readFile(path, "utf8"));
  } catch (error) {
    throw new Unusable(`cannot read the server file ${path}: ${error.message}`);
  }
  if (typeof server.operations?.create?.path !== "string") {
    throw new Unusable(`${path}: operations.create has no path`);
  }
  return server;
}

export class Operations {
  constructor(server, url, token) {
    this.server = server;
    this.origin = server.origin ?? url.replace(/^ws/, "http").replace(/^(https?:\/\/[^/]+).*$/, "$1");
    this.token = token;
  }

  has(name) {
    return this.server.operations[name] !== undefined;
  }

  /** Runs an operation and returns `{status, headers, body, text}`. */
  async call(name, values) {
    const operation = this.server.operations[name];
    const path = filled(operation.path, { ...values, position: encodeURIComponent(values.position ?? "") });
    const headers = Object.fromEntries(
      Object.entries(this.server.headers ?? {}).filter(([, value]) => this.token !== undefined || !value.includes("$token")),
    );
    const url = `${this.origin}${this.server.base ?? ""}${path}`;
    const body = operation.body === undefined ? undefined : JSON.stringify(filled(operation.body, values));
    try {
      const answer = await fetch(url, {
        method: operation.method, headers: filled(headers, { token: this.token }), body,
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      const text = await answer.text();
      return { status: answer.status, headers: answer.headers, body: asJson(text), text };
    } catch (error) {
      throw new Unusable(`${operation.method} ${url}: ${error.cause?.message || error.cause?.code || error.message}`);
    }
  }

  /** Runs an operation as `call` does. Throws `Failure` if the server refuses it. */
  async done(name, values) {
    const answer = await this.call(name, values);
    if (answer.status >= 300) throw new Failure(`operation ${name} to succeed`, `${answer.status} ${answer.text}`);
    return answer;
  }

  /** Creates a campaign and returns its id. */
  async create(values) {
    const { body, text } = await this.done("create", values);
    const path = this.server.operations.create.campaignId ?? "campaignId";
    const id = path.split(".").reduce((value, member) => value?.[member], body);
    if (typeof id !== "string") throw new Unusable(`operation create answers without ${path}: ${text}`);
    return id;
  }
}

function asJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
