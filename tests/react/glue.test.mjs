// The share of the small application's lines that only connect it to the server. Each line that is neither empty nor a
// comment is *glue* or *view*, by this rule:
//
// - Every line of `rest.ts` and `form.ts`, the modules of requests, is glue.
// - A line is glue if it belongs to an import of these, of the package, or of React's hooks for effects and memory. An
//   import of types alone is view.
// - A line is glue if it belongs to a statement that awaits, requests, subscribes or waits: one with `await`, `then`,
//   `try`, an effect, a reference, a memo, a timer or a listener, or with a name from the package or from these modules.
//   A statement is as small as possible: of a function, only its signature, unless it is `async`, as glue often is; of
//   an element, only the attributes in which the call is.
// - A line is glue if it names the provider.
// - All others are view: elements, texts, words and numbers as people read them, and the state of fields.
//
// An application of the same size on the package alone had 55 % of glue.

import { strict as assert } from "node:assert";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";

import ts from "typescript-api";

const APP = new URL("app/", import.meta.url);
/** The largest share of glue. */
const SHARE_MAX = 0.2;

/** Functions of React and of the platform whose purpose is to connect. */
const CONNECTING = new Set(["useEffect", "useLayoutEffect", "useInsertionEffect", "useRef", "useMemo", "useCallback", "useReducer",
  "useSyncExternalStore", "fetch", "setTimeout", "setInterval", "clearTimeout", "clearInterval", "addEventListener", "removeEventListener",
  "subscribe", "requestAnimationFrame", "queueMicrotask", "AbortController", "Promise", "WebSocket", "then", "catch", "finally"]);
const SOURCES = /^campaign-sync|\/(rest|form)\.js$/;
const REQUESTS = ["rest.ts", "form.ts"];

/** Returns the kind of each line of a file, by its number from 0; lines without code have none. */
function classify(name, text) {
  const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2022, true, name.endsWith("x") ? ts.ScriptKind.TSX : ts.ScriptKind.TS);
  const kinds = new Map();
  const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line;
  const mark = (node, kind) => {
    for (let line = lineOf(node.getStart(source)); line <= lineOf(node.getEnd()); line += 1) {
      if (kind === "glue" || !kinds.has(line)) kinds.set(line, kind);
    }
  };
  const connecting = new Set(CONNECTING);
  for (const statement of source.statements.filter(ts.isImportDeclaration)) {
    const { elements = [] } = statement.importClause?.namedBindings ?? {};
    const isSource = SOURCES.test(statement.moduleSpecifier.text);
    const isTypes = statement.importClause?.isTypeOnly === true;
    if (isSource && !isTypes) for (const { name } of elements) connecting.add(name.text);
    if ((isSource && !isTypes) || elements.some(({ name }) => CONNECTING.has(name.text))) mark(statement, "glue");
  }
  const tokens = (node) => {
    if (node.getChildCount(source) > 0) return node.getChildren(source).filter((it) => !ts.isJSDoc(it)).forEach(tokens);
    // The text of an element begins with the white space before it.
    if (node.getText(source).trim() !== "") mark(node, "view");
  };
  tokens(source);
  if (REQUESTS.includes(name)) for (const line of kinds.keys()) kinds.set(line, "glue");
  const connects = (node) =>
    ts.isAwaitExpression(node) || ts.isTryStatement(node) || ((ts.isIdentifier(node) && connecting.has(node.text)) && !ts.isImportSpecifier(node.parent));
  const visit = (node) => {
    if (connects(node)) mark(unitOf(node), "glue");
    if (ts.isFunctionLike(node) && node.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.AsyncKeyword)) mark(node, "glue");
    ts.forEachChild(node, visit);
  };
  visit(source);
  return kinds;
}

/** The smallest statement or attribute that a node belongs to; of a tag, the tag itself. */
function unitOf(node) {
  for (let it = node; ; it = it.parent) {
    if (ts.isJsxAttribute(it) || ts.isJsxOpeningElement(it) || ts.isJsxClosingElement(it) || ts.isJsxSelfClosingElement(it)) return it;
    if (ts.isParameter(it) || ts.isTypeReferenceNode(it) || ts.isExpressionWithTypeArguments(it)) return it;
    if (ts.isStatement(it) && !ts.isBlock(it)) return it;
  }
}

const count = (kinds, kind) => [...kinds.values()].filter((it) => it === kind).length;

test("at most a fifth of the small application is glue", async () => {
  const total = { glue: 0, view: 0 };
  for (const name of (await readdir(APP)).sort()) {
    const kinds = classify(name, await readFile(new URL(name, APP), "utf8"));
    const [glue, view] = [count(kinds, "glue"), count(kinds, "view")];
    console.log(`${name.padEnd(14)} ${String(glue).padStart(4)} glue ${String(view).padStart(4)} view`);
    total.glue += glue;
    total.view += view;
  }
  const lines = total.glue + total.view;
  console.log(`${total.glue} of ${lines} lines are glue: ${((100 * total.glue) / lines).toFixed(1)} %`);
  assert.ok(lines >= 300, `${lines} lines`);
  assert.ok(total.glue <= lines * SHARE_MAX, `${total.glue} of ${lines} lines`);
});

test("lines are classified by the rule", () => {
  const text = `/** A comment. */
import { useCampaign } from "campaign-sync/react";
import { useEffect, useState } from "react";
import { words } from "./format.js";

export function Page({ id }: { id: string }) {
  const [field, setField] = useState("");
  const name = useCampaign(
    id,
    (view) => view.campaign?.name,
  );
  useEffect(() => {
    document.title = name ?? "";
  }, [name]);
  async function send() {
    words(field);
  }
  return (
    <p>
      {name}
      <button
        className="x"
        onClick={() => fetch("/x")}
      >
        text
      </button>
    </p>
  );
}
`;
  const kinds = classify("page.tsx", text);
  const letters = text.split("\n").map((_, line) => ({ glue: "g", view: "v" })[kinds.get(line)] ?? "-").join("");
  assert.equal(letters, "-ggv-vvggggggggggvvvvvgvvvvvv-");
  assert.deepEqual([...new Set(classify("rest.ts", "const a = 1;\n").values())], ["glue"]);
});
