// An application that imports its own WebAssembly modules.
export default {
  mode: "production",
  experiments: { asyncWebAssembly: true },
  module: { rules: [{ test: /\.wasm$/, type: "webassembly/async" }] },
};
