// The closed lists of words in the types: each is the list of the code, or of the table, that decides about it.
import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import { ERROR_CODES } from "../dist/index.js";
import { STEPS } from "../dist/steps.js";
import { declaredMembers, declaredUnion } from "./support/declarations.js";

const root = new URL("../../", import.meta.url);
const text = (path) => readFile(new URL(path, root), "utf8");
const found = (source, pattern) => [...new Set([...source.matchAll(pattern)].map((match) => match[1]))].sort();

/** The literals of the function `as_str` in the `impl` of a type. */
async function namesOf(path, type) {
  const source = await text(path);
  const names = found(source.slice(source.indexOf(`impl ${type} {`)).match(/fn as_str[^]*?\n {4}}/)[0], /=> "(\w+)"/g);
  assert.ok(names.length > 1, `${path} ${type}`);
  return names;
}

/** The first names of an enum that the macro `named!` writes. */
async function namedIn(path, type) {
  const source = await text(path);
  return found(source.match(new RegExp(`\nnamed! \\{[^{}]*\n {4}${type} (\\{[^]*?\n {4}})`))[1], /^ {8}\w+ = "(\w+)"/gm);
}

/** All sources of the machine, without their tests. */
async function machine() {
  const directory = new URL("src/sync/", root);
  const names = (await readdir(directory, { recursive: true })).filter((name) => name.endsWith(".rs"));
  return (await Promise.all(names.map((name) => text(`src/sync/${name}`)))).map((source) => source.split("#[cfg(test)]")[0]).join("\n");
}

const rust = await machine();
const protocol = (await Promise.all((await readdir(new URL("src/protocol/", root))).filter((name) => name.endsWith(".rs")).map((name) => text(`src/protocol/${name}`)))).join("\n");
const core = await text("pkg/src/core.ts");

/** Checks a union that takes no other word. */
function isClosed(name, expected) {
  const { words, open } = declaredUnion(name);
  assert.deepEqual([words, open], [[...expected].sort(), false], name);
}

/** Checks a union that takes any other word, too. */
function isOpen(name, expected) {
  const { words, open } = declaredUnion(name);
  assert.deepEqual([words, open], [[...expected].sort(), true], name);
}

test("phases and statuses are those of the protocol", async () => {
  isClosed("Phase", await namedIn("src/protocol/phase.rs", "Phase"));
  isClosed("PhaseStatus", await namedIn("src/protocol/phase.rs", "Status"));
});

test("statuses and stale reasons are those of the machine", async () => {
  isClosed("CampaignStatus", await namesOf("src/sync/status.rs", "Status"));
  const reasons = (await text("src/sync/status.rs")).match(/fn reason[^]*?\n {4}}/)[0];
  isClosed("StaleReason", found(reasons, /Some\("(\w+)"\)/g));
});

test("states of the connection are those of the machine", async () => {
  isClosed("ConnectionState", await namesOf("src/sync/connection/state.rs", "ConnectionState"));
});

test("reasons of recoveries are those of the protocol", async () => {
  isClosed("RecoveryReason", await namedIn("src/protocol/client.rs", "Reason"));
});

test("outcomes of recoveries are those that the machine announces", async () => {
  const announced = rust.match(/let outcome = if finished\.events == 0 \{ "(\w+)" \} else \{ "(\w+)" \};/);
  isClosed("RecoveryOutcome", [announced[1], announced[2], ...found(rust, /\.announce_recovered\(cx, [^;"]*"(\w+)"/g)]);
});

test("kinds of divergence are those that the machine announces", () => {
  isClosed("DivergenceKind", found(rust, /\.diverge\(cx, "(\w+)"/g));
});

test("rules of rejected content are those of the protocol", () => {
  isClosed("RejectionRule", [...found(protocol, /\bblame\([^)]*, "(\w+)"\)/g), ...found(protocol, /\brule: "(\w+)"/g)]);
});

test("reasons of invalidation are those of the machine and of the client", async () => {
  const install = rust.match(/let reason = if new_log\.is_some\(\) \{ "(\w+)" \} else \{ "(\w+)" \};/);
  const content = JSON.parse(core.match(/const CONTENT[^=]*= (\[[^\]]*\])/)[1]);
  const client = found(await text("pkg/src/client.ts"), /"cacheinvalidated", \{ campaignId, reason: "(\w+)"/g);
  isClosed("InvalidationReason", [install[1], install[2], ...content, ...client, ...found(rust, /\binvalidate\(cx, "(\w+)"\)/g)]);
});

test("codes of the log are those that the machine and the client write", () => {
  const codes = [...found(rust, /\.log(?:_event)?\(\s*(?:cx,\s*)?(?:Level::\w+|level),\s*"(\w+)"/g), ...found(core, /code: "(\w+)", message: describe/g)];
  isClosed("LogCode", codes);
});

test("types of transitions are those of the contract", async () => {
  const row = (await text("docs/PROTOCOL.md")).match(/^\| `transitionType` \| text \| (.*) \|$/m)[1];
  isOpen("TransitionType", found(row, /`(\w+)`/g));
});

test("levels of notifications are those of the contract", async () => {
  const row = (await text("docs/PROTOCOL.md")).match(/^\| `system\.notification` \| `level` \((.*?)\)/m)[1];
  isOpen("NotificationLevel", found(row, /`(\w+)`/g));
});

test("reasons of an end begin with that of the machine", () => {
  isOpen("EndReason", found(rust, /\.end\(cx, "(\w+)"\)/g));
});

test("words of the columns are those of the reference server", async () => {
  const source = await text("tests/harness/src/campaign/simulate.rs");
  const within = (name) => source.match(new RegExp(`fn ${name}\\([^]*?\n {4}}`))[0];
  isOpen("DnsStatus", found(within("dns_status"), /=> "(\w+)"/g));
  isOpen("HttpStatus", found(within("http_status"), /=> \("(\w+)"/g));
  isOpen("LeadStatus", found(within("lead"), /\{ "(\w+)" \}/g));
  const readme = await text("pkg/README.md");
  const rows = readme.match(/^\| column \| word \| meaning \|\n[^]*?\n\n/m)[0];
  const words = ["DnsStatus", "HttpStatus", "LeadStatus"].flatMap((name) => declaredUnion(name).words);
  assert.deepEqual([...rows.matchAll(/^\|[^|]*\| `(\w+)`/gm)].map((row) => row[1]).sort(), words.sort());
});

test("types of audit entries are those of the reference server", async () => {
  const sources = await Promise.all(["drafts", "mod", "request"].map((name) => text(`tests/harness/src/campaign/${name}.rs`)));
  const source = sources.join("\n");
  const user = source.match(/fn kind\(&self\)[^]*?\{ "(\w+)" \} else \{ "(\w+)" \}/);
  const [, rollback] = source.match(/const ERROR_RECOVERY: &str = "(\w+)"/);
  isOpen("AuditType", [user[1], user[2], rollback, ...found(source, /\bkind: "(\w+)"/g)]);
});

test("events are the notices of the machine", async () => {
  const kinds = (await text("src/sync/notice.rs")).match(/fn kind\(&self\)[^]*?\n {4}}/)[0];
  assert.deepEqual(declaredMembers("CampaignSyncEventMap"), found(kinds, /=> "(\w+)"/g));
});

test("metrics are those of the machine", async () => {
  const source = await text("src/sync/metrics.rs");
  const counters = found(source.match(/\nmetrics! \{[^]*?\n\}/)[0], /^ {4}\w+ = "(\w+)"/gm);
  const others = found(source.match(/impl ToJson for Metrics \{[^]*?\n\}/)[0], /\("(\w+)"/g);
  assert.ok(counters.length > 20 && others.length === 5, others.join());
  assert.deepEqual(declaredMembers("Metrics"), [...counters, ...others].sort());
});

test("actions are those of the phase machine", () => {
  const actions = new Set(STEPS.map(([action]) => action));
  isClosed("CampaignAction", actions);
  isOpen("ActionName", [...actions, "delete"]);
});

test("codes are those of the list, and those of sealed content", () => {
  isClosed("SealCode", ["not_sealed", "seal_broken", "unknown_key"]);
  isClosed("ErrorCode", new Set([...ERROR_CODES, ...declaredUnion("SealCode").words]));
});

test("codes are those of chapter 14 of the contract, beside those of the client", async () => {
  const chapter = (await text("docs/PROTOCOL.md")).match(/^## 14\.[^]*?\*\*R14\.1\*\*/m)[0];
  const rust = [...(await text("src/protocol/code.rs")).matchAll(/^ {4}[A-Z]\w+ = "(\w+)",$/gm)].map((match) => match[1]);
  assert.deepEqual(found(chapter, /^\| `(\w+)` \|/gm), rust.sort());
});

test("no public type is `object` or `any`", async () => {
  const files = (await readdir(new URL("../dist/", import.meta.url))).filter((name) => name.endsWith(".d.ts"));
  const { publicTypes } = await import("./support/declarations.js");
  const types = publicTypes();
  assert.ok(files.length > 30 && types.length > 500, `${types.length} members`);
  // A compiled module is declared without members, so this keeps numbers out.
  const isModule = (type) => type.includes("WebAssembly.Module & object");
  assert.deepEqual(types.filter(({ type }) => /\b(any|object)\b/.test(type.replaceAll(/"[^"]*"/g, "")) && !isModule(type)), []);
});
