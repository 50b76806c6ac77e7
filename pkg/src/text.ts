/** Text as UTF-8, without garbage for each frame. */

const encoder = new TextEncoder();
/** Where short texts are encoded; a character takes three bytes at most. */
const scratch = new Uint8Array(64 * 1024);

/** The text's bytes, valid until the next call. Half a surrogate pair becomes U+FFFD, as everywhere in a browser. */
export function encoded(text: string): Uint8Array {
  if (text.length * 3 > scratch.length) return encoder.encode(text);
  return scratch.subarray(0, encoder.encodeInto(text, scratch).written);
}
