/**
 * Names the functions of a module by their place in an order in which alike ones are neighbours, for
 * `wasm-opt --reorder-functions-by-name`. A compressor finds what is alike wherever it stands, but pays
 * less for a near copy than for a far one: the order alone is worth 2 % of the download.
 *
 * Alike is what shares rare sequences of bytes. The bodies are those of the module as optimised, the
 * names are given to the module before that, which is then optimised once more and comes out in order.
 *
 * Usage: node order-functions.mjs <optimised, with names.wasm> <in.wasm> <out.wasm>
 */
import { readFile, writeFile } from "node:fs/promises";

import { SECTIONS, encoded, moduleOf, number, sectionsOf, text } from "./wasm.mjs";

/** Bytes of a sequence. */
const LENGTH = 4;
/** A sequence in more functions than this tells nothing. */
const COMMON = 60;
/** As many of the functions before it are compared with the next one. */
const REACH = 4;
/** Keeps functions of a few bytes from being like everything. */
const SMALL = 40;

const [optimisedPath, inputPath, outputPath] = process.argv.slice(2);
const optimised = await readFile(optimisedPath);
const input = await readFile(inputPath);

const places = new Map();
const names = namesOf(optimised);
const imported = importedFunctions(optimised);
inOrder(bodiesOf(optimised)).forEach((body, place) => {
  const name = names.get(imported + body);
  if (name !== undefined) places.set(name, place);
});
if (places.size < 100) throw new Error("the optimised module has no names");

const named = [...namesOf(input)].map(([index, name]) => {
  const place = places.get(name);
  // Imports are not moved, and what was inlined everywhere is not there any more.
  const written = Buffer.from(place === undefined ? `x${index}` : `f${String(place).padStart(5, "0")}`);
  return Buffer.concat([encoded(index), encoded(written.length), written]);
});
const map = Buffer.concat([encoded(named.length), ...named]);
const content = Buffer.concat([encoded(4), Buffer.from("name"), Buffer.of(1), encoded(map.length), map]);
const others = sectionsOf(input).filter((section) => !isNames(section));
await writeFile(outputPath, moduleOf(input, [...others, { id: SECTIONS.custom, content }]));

/** The numbers of the bodies, each followed by the one that is most like it and those before it. */
function inOrder(bodies) {
  const sequences = bodies.map((body) => {
    const latin = body.toString("latin1");
    return new Set(Array.from({ length: Math.max(0, latin.length - LENGTH) }, (_, at) => latin.slice(at, at + LENGTH)));
  });
  const holders = new Map();
  sequences.forEach((of, body) => {
    for (const sequence of of) holders.set(sequence, [...(holders.get(sequence) ?? []), body]);
  });
  const left = new Set(bodies.keys());
  const order = [];
  while (left.size > 0) {
    const likeness = new Map();
    order.slice(-REACH).reverse().forEach((body, distance) => {
      for (const sequence of sequences[body]) {
        const sharing = holders.get(sequence);
        if (sharing.length > COMMON) continue;
        for (const other of sharing) {
          if (left.has(other)) likeness.set(other, (likeness.get(other) ?? 0) + 1 / sharing.length / (1 + distance));
        }
      }
    });
    const worth = (body) => (likeness.get(body) ?? 0) / (sequences[body].size + SMALL);
    const candidates = likeness.size > 0 ? [...likeness.keys()] : [...left];
    const next = candidates.reduce((best, body) => (better(worth(body), worth(best), body, best, sequences) ? body : best));
    left.delete(next);
    order.push(next);
  }
  return order;
}

/** More alike first, then the larger, then the earlier: the same input gives the same order everywhere. */
function better(worth, than, body, best, sequences) {
  if (worth !== than) return worth > than;
  if (sequences[body].size !== sequences[best].size) return sequences[body].size > sequences[best].size;
  return body < best;
}

function bodiesOf(bytes) {
  const { content } = sectionsOf(bytes).find(({ id }) => id === SECTIONS.code);
  let [count, at] = number(content, 0);
  const bodies = [];
  for (; count > 0; count -= 1) {
    const [length, start] = number(content, at);
    bodies.push(content.subarray(start, start + length));
    at = start + length;
  }
  return bodies;
}

/** The functions' names by their numbers. */
function namesOf(bytes) {
  const found = new Map();
  const section = sectionsOf(bytes).find(isNames);
  if (section === undefined) return found;
  const { content } = section;
  for (let at = text(content, 0)[1]; at < content.length; ) {
    const [size, start] = number(content, at + 1);
    if (content[at] === 1) {
      let [count, next] = number(content, start);
      for (; count > 0; count -= 1) {
        const [index, after] = number(content, next);
        const [name, end] = text(content, after);
        found.set(index, name);
        next = end;
      }
    }
    at = start + size;
  }
  return found;
}

function isNames({ id, content }) {
  return id === SECTIONS.custom && text(content, 0)[0] === "name";
}

/** How many functions are imported: the numbers of the others begin there. */
function importedFunctions(bytes) {
  const { content } = sectionsOf(bytes).find(({ id }) => id === SECTIONS.imports);
  let [count, at] = number(content, 0);
  let functions = 0;
  for (; count > 0; count -= 1) {
    at = text(content, text(content, at)[1])[1];
    if (content[at] !== 0) throw new Error("wasm-bindgen imports nothing but functions");
    functions += 1;
    at = number(content, at + 1)[1];
  }
  return functions;
}
