/**
 * Makes panics trap without composing a text first. A panic in the module is a bug, and its text would
 * reach nobody because the module has no console. The code that composes the text is a twentieth of the
 * download.
 *
 * A stable toolchain cannot compile the standard library this way (`panic_immediate_abort`). So this
 * script replaces the bodies of its panic functions, and wasm-opt then drops the code that only they
 * used. The build fails with a message if other code formats text, or if the functions have other names
 * in a new toolchain.
 *
 * Usage: node trap-panics.mjs <directory of node_modules> <in.wasm> <out.wasm>
 */
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [modules, input, output] = process.argv.slice(2);
const { default: binaryen } = await import(pathToFileURL(join(modules, "binaryen/index.js")));

/** Functions that never return. They compose the text of a panic. */
const PANICS = new RegExp(
  [
    "panicking::",
    "::(expect|unwrap)_failed$",
    "::slice_(index|error)_fail",
    "len_mismatch_fail",
    "assert_failed$",
    "::handle_(alloc_)?error$",
    "raw_vec::capacity_overflow$",
    "::cell::panic_already_",
    "::lazy::panic_poisoned$",
    "::panic_access_error$",
    "::panic_on_ord_violation$",
    "::rust_panic$",
    "wasm_bindgen::throw_str",
  ].join("|"),
);

/** Functions that format text for them or carry it. No other function may call these. */
const FORMATTING = /\bfmt(?:::|\.\.)(?!Arguments)|::str::count::do_count_chars|panicking::/;

binaryen.setDebugInfo(true); // Keeps the names; wasm-opt removes them at the end.
const module = binaryen.readBinary(await readFile(input));
const callers = callersOf(module.emitText());
const functions = Array.from({ length: module.getNumFunctions() }, (_, index) => binaryen.getFunctionInfo(module.getFunctionByIndex(index)));
const written = functions.filter(({ module: importedFrom }) => importedFrom === "");
const own = written.map(({ name }) => name);
// A function that can return is not a panic function, whatever its name.
const panics = written.filter(({ name, results }) => results === binaryen.none && matches(PANICS, name)).map(({ name }) => name);
const formatting = own.filter((name) => matches(FORMATTING, name) && !panics.includes(name));

const problems = ["panicking::panic_fmt", "panicking::panic_bounds_check"]
  .filter((name) => !panics.some((found) => found.includes(name)))
  .map((name) => `there is no function ${name}`);
const quiet = new Set([...panics, ...formatting]);
for (const name of formatting) {
  const others = [...(callers.get(name) ?? [])].filter((caller) => !quiet.has(caller));
  problems.push(...others.map((caller) => `${caller} formats text by ${name}`));
}
if (problems.length > 0) {
  console.error(`panics cannot be made to trap:\n  ${problems.join("\n  ")}`);
  process.exit(1);
}
for (const { name, params, results } of functions) {
  if (!quiet.has(name)) continue;
  module.removeFunction(name);
  module.addFunction(name, params, results, [], module.unreachable());
}
// Without it wasm-bindgen's JavaScript encodes each text at once, which is shorter, and not slower for frames.
module.removeExport("__wbindgen_realloc");
// Only numbers and text cross the boundary, so the module needs no table of references to JavaScript values.
module.setFeatures(module.getFeatures() & ~binaryen.Features.ReferenceTypes);
if (!module.validate()) throw new Error("the module is not valid any more");
await writeFile(output, module.emitBinary());

/** The callers of each function by name, from the module's text. */
function callersOf(text) {
  const found = new Map();
  let caller = "";
  for (const [, defined, called] of text.matchAll(/^ \(func \$("[^"]*"|\S+)|\((?:return_)?call \$("[^"]*"|\S+)/gm)) {
    if (defined !== undefined) caller = unquoted(defined);
    else found.set(unquoted(called), (found.get(unquoted(called)) ?? new Set()).add(caller));
  }
  return found;
}

/** Whether the pattern matches the name without the compiler's hash at its end. */
function matches(pattern, name) {
  return pattern.test(name.replace(/::h[0-9a-f]{16}$/, ""));
}

function unquoted(name) {
  return name.replace(/^"|"$/g, "");
}
