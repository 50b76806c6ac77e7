/**
 * Compares the browsers that the READMEs name with what the sources use, by the data of MDN.
 *
 * The TypeScript compiler finds each use of a name that the language or the platform declares. A use that the code
 * checks for, or can do without, needs no version. The features of the module are those that the build enables.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import mdn from "@mdn/browser-compat-data" with { type: "json" };
import ts from "typescript";

const PACKAGE = fileURLToPath(new URL("../../pkg/", import.meta.url));
const BROWSERS = { "Chrome, Edge": ["chrome", "edge"], Firefox: ["firefox"], Safari: ["safari", "safari_ios"] };

/** Names that the code uses only where they are there. */
const OPTIONAL = new Set([
  "Symbol.dispose", "LockManager.request", "BroadcastChannel", "BroadcastChannel.postMessage", "BroadcastChannel.close",
  // The code tries them, and does without.
  "reportError", "FinalizationRegistry", "WeakRef", "Performance.now", "AbortSignal.timeout",
  // MDN states none for Safari, which has it as every browser has.
  "Node.baseURI",
]);

const wasm = mdn.webassembly;
const syntax = mdn.javascript.classes;
const uses = usesOf(PACKAGE);
const rows = new Map([
  ["SIMD (`simd128`)", newest([wasm["fixed-width-SIMD"].__compat])],
  ["reference types", newest([wasm["reference-types"].__compat])],
  ["bulk memory", newest([wasm["bulk-memory-operations"].__compat])],
  ["multi-value", newest([wasm["multi-value"].__compat])],
  ["classes of ES2022", newest([syntax.static.initialization_blocks.__compat, syntax.private_class_methods.__compat, syntax.private_class_fields_in.__compat])],
  ["functions of the platform", newest(uses.map(({ compat }) => compat))],
]);
const whole = merge([...rows.values()]);
const expected = [...rows].map(([name, versions]) => row(name, versions));
expected.push(row("**the package**", whole.map((version) => `**${version}**`)));

await expect("pkg/README.md", expected.map((line) => `\n${line}\n`));
await expect("README.md", [`Chrome and Edge ${whole[0]}, Firefox ${whole[1]}, Safari ${whole[2]} (`]);

/** Fails unless the document has all of these texts. */
async function expect(name, texts) {
  const document = await readFile(new URL(`../../${name}`, import.meta.url), "utf8");
  const missing = texts.filter((text) => !document.includes(text));
  console.log(`${missing.length === 0 ? "ok" : "not ok"} - browsers in ${name}`);
  if (missing.length === 0) return;
  process.exitCode = 1;
  for (const text of missing) console.log(`  lacks: ${text.trim()}`);
  // The uses that decide.
  const deciding = uses.filter(({ compat }) => newest([compat]).some((version, at) => version === whole[at] && version > 90));
  for (const { name, files } of deciding) console.log(`  ${name} in ${[...files]}`);
}

/** A row of the table. */
function row(name, cells) {
  return `| ${[name, ...cells].join(" | ")} |`;
}

/** The first versions that have all of these features, in the order of `BROWSERS`. */
function newest(features) {
  return merge(features.map(({ support }) => Object.values(BROWSERS).map((ids) => Math.max(...ids.map((id) => versionIn(support[id]))))));
}

function versionIn(statement) {
  const [{ version_added: version, flags }] = [statement].flat();
  // Versions such as `≤37`. A feature that a browser lacks has no version.
  const number = Number.parseFloat(String(version).replace("≤", ""));
  return flags !== undefined || Number.isNaN(number) ? Infinity : number;
}

function merge(rows) {
  return Object.keys(BROWSERS).map((_, at) => Math.max(0, ...rows.map((versions) => versions[at])));
}

/** The names of the language and the platform that the sources use, with the files and what MDN knows of each. */
function usesOf(directory) {
  const { config } = ts.readConfigFile(`${directory}tsconfig.json`, ts.sys.readFile);
  const { options, fileNames } = ts.parseJsonConfigFileContent(config, ts.sys, directory);
  const program = ts.createProgram(fileNames, { ...options, noEmit: true });
  const checker = program.getTypeChecker();
  const found = new Map();
  const visit = (node, file) => {
    if (ts.isTypeNode(node)) return;
    const [name, compat] = ts.isIdentifier(node) ? lookUp(checker.getSymbolAtLocation(node)) : [];
    if (compat !== undefined && !OPTIONAL.has(name)) {
      if (!found.has(name)) found.set(name, { name, compat, files: new Set() });
      found.get(name).files.add(file);
    }
    ts.forEachChild(node, (child) => visit(child, file));
  };
  for (const source of program.getSourceFiles()) {
    if (source.fileName.startsWith(`${directory}src/`) && !source.isDeclarationFile) visit(source, source.fileName.slice(directory.length + 4));
  }
  return [...found.values()];
}

/** The name of a declaration of TypeScript's libraries, and what MDN knows of it. */
function lookUp(symbol) {
  const [declaration] = symbol?.declarations ?? [];
  if (declaration === undefined || !/\/lib\.[^/]*\.d\.ts$/.test(declaration.getSourceFile().fileName)) return [];
  const { parent } = declaration;
  if (ts.isInterfaceDeclaration(parent)) return known(parent.name.text.replace(/Constructor$/, ""), symbol.name);
  if (ts.isTypeLiteralNode(parent)) return known(parent.parent.name?.text, symbol.name);
  return known(symbol.name);
}

function known(owner, member) {
  for (const part of [mdn.api, mdn.javascript.builtins, mdn.webassembly.api]) {
    const at = member === undefined ? part[owner] : (part[owner]?.[member] ?? part[owner]?.[`${member}_static`]);
    if (at?.__compat !== undefined) return [member === undefined ? owner : `${owner}.${member}`, at.__compat];
  }
  return [];
}
