/** Module resolution for tests: the generated module is the fake one. */
export async function resolve(specifier, context, next) {
  if (specifier.endsWith("/wasm/campaign_sync.js")) {
    return { url: new URL("./machine.js", import.meta.url).href, shortCircuit: true };
  }
  return next(specifier, context);
}
