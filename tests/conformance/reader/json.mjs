// Chapter 2: a JSON parser with the rules of the contract. Each value keeps its place in the text, because the hash of
// an event covers raw text. A number keeps its text, because only the text distinguishes an integer from `1.0`.

/** The refusal of a document, with a code of chapter 14. */
export class Refused extends Error {
  constructor(code, message) {
    super(message === undefined ? code : `${code}: ${message}`);
    this.code = code;
  }
}

const MOST_NESTED = 64;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
const PLAIN = /[^"\\\u0000-\u001f]*/y;
const ESCAPES = { '"': '"', "\\": "\\", "/": "/", b: "\b", f: "\f", n: "\n", r: "\r", t: "\t" };

class Parser {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  fail(code = "invalid_json") {
    throw new Refused(code, `at character ${this.at}`);
  }

  space() {
    while (" \t\n\r".includes(this.text[this.at] ?? "?")) this.at += 1;
  }

  take(character) {
    if (this.text[this.at] !== character) return false;
    this.at += 1;
    return true;
  }

  /** Reads a value. `depth` is the number of open containers inside the value of an envelope member. */
  value(depth) {
    const start = this.at;
    const node = this.bare(depth);
    return { ...node, start, end: this.at };
  }

  bare(depth) {
    const first = this.text[this.at];
    if (first === "{") return this.object(depth);
    if (first === "[") return this.array(depth);
    if (first === '"') return this.string();
    for (const [word, kind, value] of [["true", "boolean", true], ["false", "boolean", false], ["null", "null", null]]) {
      if (!this.text.startsWith(word, this.at)) continue;
      this.at += word.length;
      return { kind, value };
    }
    NUMBER.lastIndex = this.at;
    const number = NUMBER.exec(this.text);
    if (number === null) this.fail();
    this.at += number[0].length;
    return { kind: "number", raw: number[0] };
  }

  array(depth) {
    this.at += 1;
    this.space();
    const items = [];
    if (this.take("]")) return { kind: "array", items };
    if (depth >= MOST_NESTED) this.fail("too_deep");
    do {
      this.space();
      items.push(this.value(depth + 1));
      this.space();
    } while (this.take(","));
    if (!this.take("]")) this.fail();
    return { kind: "array", items };
  }

  object(depth) {
    this.at += 1;
    this.space();
    const members = [];
    if (this.take("}")) return { kind: "object", members };
    if (depth >= MOST_NESTED) this.fail("too_deep");
    do {
      this.space();
      if (this.text[this.at] !== '"') this.fail();
      const { value: name, escaped } = this.string();
      this.space();
      if (!this.take(":")) this.fail();
      this.space();
      members.push({ name, escaped, node: this.value(depth + 1) });
      this.space();
    } while (this.take(","));
    if (!this.take("}")) this.fail();
    return { kind: "object", members };
  }

  string() {
    this.at += 1;
    let value = "";
    let escaped = false;
    for (;;) {
      PLAIN.lastIndex = this.at;
      const plain = PLAIN.exec(this.text)[0];
      value += plain;
      this.at += plain.length;
      if (this.take('"')) return { kind: "string", value, escaped };
      if (!this.take("\\")) this.fail();
      escaped = true;
      value += this.escape();
    }
  }

  escape() {
    const letter = this.text[this.at];
    this.at += 1;
    if (letter !== "u") {
      if (letter === undefined || !Object.hasOwn(ESCAPES, letter)) this.fail();
      return ESCAPES[letter];
    }
    const unit = this.unit();
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    if (unit > 0xdbff || !this.text.startsWith("\\u", this.at)) this.fail("lone_surrogate");
    this.at += 2;
    const low = this.unit();
    if (low < 0xdc00 || low > 0xdfff) this.fail("lone_surrogate");
    return String.fromCharCode(unit, low);
  }

  unit() {
    const digits = this.text.slice(this.at, this.at + 4);
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail();
    this.at += 4;
    return Number.parseInt(digits, 16);
  }
}

/** Parses one document into a tree. The depth starts at −1, because the document itself is not the value of a member. */
export function parse(text) {
  const parser = new Parser(text);
  parser.space();
  const node = parser.value(-1);
  parser.space();
  if (parser.at !== text.length) parser.fail();
  return node;
}

/** Returns the value of a member, the last one if it is repeated, or `undefined`. */
export function member(node, name) {
  const found = node.members.findLast((candidate) => candidate.name === name && !candidate.escaped);
  return found?.node;
}

/** Returns the value of a member as `member` does, but `null` counts as absent. */
export function optional(node, name) {
  const found = member(node, name);
  return found?.kind === "null" ? undefined : found;
}

/** Reads an integer of at least `least`, without rounding. */
export function integer(node, least = -Number.MAX_SAFE_INTEGER) {
  if (node?.kind !== "number" || !/^-?[0-9]+$/.test(node.raw)) throw new Refused("invalid_content", "not an integer");
  const value = Number(node.raw);
  if (!Number.isSafeInteger(value)) throw new Refused("integer_out_of_range", node.raw);
  if (value < least) throw new Refused("invalid_content", `${node.raw} is below ${least}`);
  return value === 0 ? 0 : value;
}

/** Reads a number that is finite as a double. */
export function finite(node) {
  if (node?.kind !== "number") throw new Refused("invalid_content", "not a number");
  const value = Number(node.raw);
  if (!Number.isFinite(value)) throw new Refused("invalid_content", `${node.raw} is not finite`);
  return value;
}

export function text(node) {
  if (node?.kind !== "string") throw new Refused("invalid_content", "not a text");
  return node.value;
}

/** Returns the value that `JSON.parse` would return. */
export function plain(node) {
  switch (node.kind) {
    case "object":
      return Object.fromEntries(node.members.map(({ name, node: value }) => [name, plain(value)]));
    case "array":
      return node.items.map(plain);
    case "number":
      return Number(node.raw);
    default:
      return node.value;
  }
}
