/** Module resolution for tests: resolves the generated module to the fake machine. */
export async function resolve(specifier, context, next) {
  if (specifier.endsWith("-glue.js")) {
    // The package has two modules. The query makes the second one a separate module.
    const module = specifier.endsWith("/encrypted-glue.js") ? "./machine.js?encrypted" : "./machine.js";
    return { url: new URL(module, import.meta.url).href, shortCircuit: true };
  }
  return next(specifier, context);
}
