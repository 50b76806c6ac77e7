/** Unpacks the modules of the CommonJS form, which are base64 without compression: Jest has no `DecompressionStream` in jsdom. */

/** Returns the bytes of a module. */
export function unpack(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (digit) => digit.charCodeAt(0));
}
