// The errors of the package: each code has a sentence that says what to do, and a section of docs/ERRORS.md.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";

import { behind, invalidContent, noAnswer, refusalOf } from "../dist/answers.js";
import "../dist/encrypted.js"; // It adds its codes.
import { CampaignSyncError, ERROR_CODES } from "../dist/index.js";
import { meaningOf } from "../dist/errors.js";

const LENGTH_MAX = 120;
const CODES = [...ERROR_CODES, "not_sealed", "seal_broken", "unknown_key"];
const page = await readFile(new URL("../docs/ERRORS.md", import.meta.url), "utf8");
/** The sections of the page by their code: the sentence, and the rest. */
const sections = new Map([...page.matchAll(/^### `(\w+)`\n\n(.+)\n\n((?:- .+\n)+)/gm)].map(([, code, sentence, rest]) => [code, { sentence, rest }]));

test("every code has a section of docs/ERRORS.md, and no section is of another one", () => {
  assert.deepEqual([...sections.keys()].sort(), [...CODES].sort());
  assert.equal(page.match(/^### /gm).length, CODES.length, "each section has a sentence and a list");
});

test("every section has place, meaning, remedy and retries", () => {
  for (const [code, { rest }] of sections) {
    const subjects = [...rest.matchAll(/^- \*([^*]+)\*: \S/gm)].map(([, subject]) => subject);
    assert.deepEqual(subjects, ["Where", "Meaning", "Remedy", "Retries"], code);
  }
});

test("every sentence is one of at most 120 characters", () => {
  for (const [code, { sentence }] of sections) {
    assert.ok([...sentence].length <= LENGTH_MAX, `${code}: ${sentence.length}`);
    assert.match(sentence, /^[A-Z].*\.$/, code);
  }
});

test("sentences of the package are those of docs/ERRORS.md", () => {
  const shipped = CODES.filter((code) => meaningOf(code) !== "");
  assert.ok(shipped.length > 20);
  for (const code of shipped) assert.equal(new CampaignSyncError(code).message, sections.get(code).sentence);
  for (const error of [behind(), invalidContent()]) assert.equal(error.message, sections.get(error.code).sentence);
  assert.equal(noAnswer(new Error("x")).message.replace(" (x)", ""), sections.get("fetch_failed").sentence);
});

test("every error has a message, and its link names a section of the package", () => {
  for (const code of CODES) {
    const error = new CampaignSyncError(code);
    assert.ok(error.message.length > 20 && error.message.length <= LENGTH_MAX, `${code}: ${error.message}`);
    const [, file, anchor] = /^campaign-sync\/(docs\/ERRORS\.md)#(\w+)$/.exec(error.help);
    assert.deepEqual([file, sections.has(anchor), anchor], ["docs/ERRORS.md", true, code]);
  }
});

test("stack begins with message and link, and the message has none", () => {
  const error = new CampaignSyncError("not_initialized");
  assert.equal(error.stack.split("\n")[0], `CampaignSyncError: ${error.message} See ${error.help}`);
  assert.ok(!error.message.includes("ERRORS.md"));
  assert.deepEqual(Object.keys(error).sort(), ["code", "help"]);
});

test("messages with data stay within 120 characters", () => {
  const long = "x😀".repeat(5_000);
  const errors = [
    new CampaignSyncError("internal", { message: long }),
    noAnswer(new Error(long)),
    invalidContent(new Error(long)),
    refusalOf(500, { error: { message: long } }),
    refusalOf(403, { error: { code: "forbidden", message: long } }),
  ];
  for (const message of [5, Symbol("x"), {}, true]) assert.equal(new CampaignSyncError("internal", { message }).message, String(message));
  for (const { message } of errors) assert.ok([...message].length <= LENGTH_MAX && message.isWellFormed?.() !== false, message);
  for (const { message } of errors.slice(1, 4)) assert.match(message, /: (check|correct) .*\.$/, "what to do is not cut");
  assert.equal(errors[0].message.at(-1), "…");
});

test("refusal has the server's code and text, and the status as its cause", () => {
  const error = refusalOf(409, { error: { code: "expected_state_mismatch", message: "the campaign is in analysis/paused" } });
  assert.deepEqual([error.code, error.message, error.cause], ["expected_state_mismatch", "the campaign is in analysis/paused", { status: 409, code: "expected_state_mismatch" }]);
  for (const body of [undefined, null, 7, { error: null }, { error: { code: "oops" } }]) {
    assert.deepEqual([refusalOf(502, body).code, refusalOf(502, body).cause.status], ["fetch_failed", 502]);
    assert.match(refusalOf(502, body).message, /status 502/);
  }
});

test("snippet of docs/ERRORS.md tells a code from any other failure", async () => {
  const [, snippet] = page.match(/```ts\nimport \{ CampaignSyncError \} from "campaign-sync";\n([^]*?)```/);
  const AsyncFunction = (async () => {}).constructor;
  const run = new AsyncFunction("CampaignSyncError", "campaign", "position", "showHint", "report", snippet);
  for (const code of ["timed_out", "closed"]) {
    const said = [];
    const campaign = { reached: () => Promise.reject(new CampaignSyncError(code)) };
    await run(CampaignSyncError, campaign, "e/1", () => said.push("hint"), (...values) => said.push(...values));
    assert.deepEqual(said, code === "timed_out" ? ["hint"] : ["closed", "campaign-sync/docs/ERRORS.md#closed"]);
  }
  await assert.rejects(run(CampaignSyncError, { reached: () => Promise.reject(new TypeError("other")) }), TypeError);
});
