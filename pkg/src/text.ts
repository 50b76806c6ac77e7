/** Encodes text as UTF-8 without an allocation per frame. */

const encoder = new TextEncoder();
/** The buffer for short texts. A UTF-16 code unit takes at most three bytes. */
const scratch = new Uint8Array(64 * 1024);

/** Returns the text as bytes, valid until the next call. Half of a surrogate pair becomes U+FFFD. */
export function encoded(text: string): Uint8Array {
  if (text.length * 3 > scratch.length) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}
