// An application that imports WebAssembly modules of its own.
export default {
  mode: "production",
  experiments: { asyncWebAssembly: true },
  module: { rules: [{ test: /\.wasm$/, type: "webassembly/async" }] },
};
