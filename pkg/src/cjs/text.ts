/**
 * Stands in for `TextDecoder` and `TextEncoder` in the CommonJS form, because Jest's environment `jsdom` has neither.
 * It has only what the generated JavaScript uses.
 */

/** Decodes UTF-8 that is valid, as the text of the module always is. */
class Decoder {
  decode(bytes: Uint8Array = new Uint8Array()): string {
    let text = "";
    for (let at = 0; at < bytes.length; ) {
      const lead = bytes[at++]!;
      const length = lead < 0x80 ? 0 : lead < 0xe0 ? 1 : lead < 0xf0 ? 2 : 3;
      let point = length === 0 ? lead : lead & (0x3f >> length);
      for (const end = at + length; at < end; at++) point = (point << 6) | (bytes[at]! & 0x3f);
      text += String.fromCodePoint(point);
    }
    return text;
  }
}

class Encoder {
  /** A lone surrogate becomes U+FFFD, as in the standard. */
  encode(text: string): Uint8Array {
    return Uint8Array.from(Array.from(text, (character) => encode(character.codePointAt(0)!)).flat());
  }
}

function encode(point: number): number[] {
  if (point < 0x80) return [point];
  if (point < 0x800) return [0xc0 | (point >> 6), 0x80 | (point & 0x3f)];
  if (point >= 0xd800 && point < 0xe000) return encode(0xfffd);
  if (point < 0x10000) return [0xe0 | (point >> 12), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f)];
  return [0xf0 | (point >> 18), 0x80 | ((point >> 12) & 0x3f), 0x80 | ((point >> 6) & 0x3f), 0x80 | (point & 0x3f)];
}

/** Returns the classes of the platform, or those of this file where they are missing. */
export function coders(): object {
  const { TextDecoder = Decoder, TextEncoder = Encoder } = globalThis;
  return { TextDecoder, TextEncoder };
}
