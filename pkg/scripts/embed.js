/**
 * Writes a module as text that JavaScript can carry in a string and that servers compress as well as the module itself.
 * `src/embedded.ts` reads it.
 *
 * The digits are the printable characters from "#" on, without the backslash. Each of the 90 most frequent bytes has a
 * digit; any other byte is one of the last two digits and another one. Frequent bytes keep their order, so that the
 * compressor finds the repetitions of the module. Space stands for "<", which means something in a page of HTML.
 */
const SINGLES = 90;
const DIGITS = Array.from({ length: 92 }, (_, digit) => String.fromCharCode(digit + 35).replace("<", " ").replace("\\", "!"));

/** Returns the 90 frequent bytes, in hexadecimal, and the digits after them. */
export function embed(module) {
  const counts = new Array(256).fill(0);
  for (const byte of module) counts[byte]++;
  const all = [...counts.keys()];
  const frequent = [...all].sort((a, b) => counts[b] - counts[a]).slice(0, SINGLES).sort((a, b) => a - b);
  const codes = [];
  [...new Set([...frequent, ...all])].forEach((byte, index) => (codes[byte] = code(index)));
  return Buffer.from(frequent).toString("hex") + Array.from(module, (byte) => codes[byte]).join("");
}

function code(index) {
  if (index < SINGLES) return DIGITS[index];
  const rest = index - SINGLES;
  return DIGITS[SINGLES + Math.floor(rest / DIGITS.length)] + DIGITS[rest % DIGITS.length];
}
