/** Module resolution for tests: the generated module is the fake one. */
export async function resolve(specifier, context, next) {
  if (specifier.endsWith("/campaign_sync.js")) {
    // Two modules, as in the package: the query makes the second one of its own.
    const module = specifier.includes("/original/") ? "./machine.js?original" : "./machine.js";
    return { url: new URL(module, import.meta.url).href, shortCircuit: true };
  }
  return next(specifier, context);
}
