/** Module resolution for tests: the generated module is the fake one. */
export async function resolve(specifier, context, next) {
  if (specifier.endsWith("/campaign_sync_bg.js")) {
    // Two modules, as in the package: the query makes the second a module of its own.
    const module = specifier.includes("/encrypted/") ? "./machine.js?encrypted" : "./machine.js";
    return { url: new URL(module, import.meta.url).href, shortCircuit: true };
  }
  return next(specifier, context);
}
