/** A module's bytes, as far as the scripts beside this file want to know them. */

/** The ids of the sections that they look at. */
export const SECTIONS = { custom: 0, imports: 2, exports: 7, code: 10 };

const HEADER = 8; // The magic number and the version.

/** The sections of a module: `{ id, content }`, in order. */
export function sectionsOf(bytes) {
  const sections = [];
  for (let at = HEADER; at < bytes.length; ) {
    const [size, from] = number(bytes, at + 1);
    sections.push({ id: bytes[at], content: bytes.subarray(from, from + size) });
    at = from + size;
  }
  return sections;
}

/** A module of these sections. */
export function moduleOf(bytes, sections) {
  const parts = sections.map(({ id, content }) => Buffer.concat([Buffer.of(id), encoded(content.length), content]));
  return Buffer.concat([bytes.subarray(0, HEADER), ...parts]);
}

/** A number in LEB128 at a place, and the place after it. */
export function number(from, at) {
  let value = 0;
  for (let shift = 0; ; shift += 7) {
    const byte = from[at++];
    value |= (byte & 0x7f) << shift;
    if (byte < 0x80) return [value, at];
  }
}

/** A number in LEB128. */
export function encoded(value) {
  const digits = [];
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.of(...digits, rest);
    digits.push((rest & 0x7f) | 0x80);
  }
}

/** A text with its length before it, and the place after it. */
export function text(from, at) {
  const [length, start] = number(from, at);
  return [from.toString("utf8", start, start + length), start + length];
}
