// The files that `scripts/forms.js` makes from the output of wasm-bindgen.

/** The generated JavaScript of a module, as a function that makes it. */
declare module "*-glue.js" {
  export const glue: import("./module.js").Glue;
}

/** A module as base64: of its gzip, or in the CommonJS form of the module itself. */
declare module "*-embedded.js" {
  export const MODULE: string;
}
