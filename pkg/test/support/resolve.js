/** Module resolution for tests: the generated module is the fake one. */
export async function resolve(specifier, context, next) {
  if (specifier.endsWith("/campaign_sync.js")) {
    // Three modules, as in the package: the query makes each other one of its own.
    const other = /\/(original|encrypted)\//.exec(specifier);
    const module = other === null ? "./machine.js" : `./machine.js?${other[1]}`;
    return { url: new URL(module, import.meta.url).href, shortCircuit: true };
  }
  return next(specifier, context);
}
