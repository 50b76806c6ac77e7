/** Reads the modules that the default entries carry. `scripts/embed.js` writes them and describes their form. */

const SINGLES = 90;
const DIGITS = 92;

/** Returns the bytes of a module. They are local, so compiling them as a stream would gain nothing. */
export function unpack(text: string): Uint8Array<ArrayBuffer> {
  const header = SINGLES * 2;
  const frequent = text.slice(0, header).match(/../g)!.map((byte) => parseInt(byte, 16));
  const order = [...new Set([...frequent, ...Array(256).keys()])];
  const bytes = new Uint8Array(text.length);
  let length = 0;
  let first = 0;
  for (const character of text.slice(header).replaceAll(" ", "<").replaceAll("!", "\\")) {
    const digit = character.charCodeAt(0) - 35;
    if (first === 0 && digit >= SINGLES) {
      first = SINGLES + (digit - SINGLES) * DIGITS;
    } else {
      bytes[length++] = order[first + digit]!;
      first = 0;
    }
  }
  return bytes.subarray(0, length);
}
