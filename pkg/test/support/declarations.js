/** Reads the declarations of the package: every public function with its parameters, and every object of options. */
import ts from "typescript-api";

const DIST = new URL("../../dist/", import.meta.url).pathname;
/** The entries, with the prefix of their names here. */
const ENTRIES = { "index.d.ts": "", "cache.d.ts": "cache.", "encrypted.d.ts": "encrypted.", "rest.d.ts": "rest." };

/**
 * Returns the parameters of all exported functions, constructors, methods and setters, each as `function(parameter)`,
 * and the members of their options, each as `function(parameter.member)`.
 */
export function declaredParameters() {
  const program = ts.createProgram(Object.keys(ENTRIES).map((entry) => DIST + entry), {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
    strict: true,
  });
  const checker = program.getTypeChecker();
  const found = new Set();
  for (const [entry, prefix] of Object.entries(ENTRIES)) {
    const source = program.getSourceFile(DIST + entry);
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source))) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      for (const declaration of symbol.declarations ?? []) visit(checker, declaration, prefix + exported.name, found);
    }
  }
  return found;
}

/** The interfaces whose methods applications call. Applications implement or read the others. */
const HANDLES = new Set(["Campaign"]);

function visit(checker, declaration, name, found) {
  if (ts.isFunctionDeclaration(declaration)) addParameters(checker, declaration, name, found);
  const hasMethods = ts.isClassDeclaration(declaration) || (ts.isInterfaceDeclaration(declaration) && HANDLES.has(name));
  if (!hasMethods) return;
  for (const member of declaration.members) {
    const isPrivate = member.name !== undefined && ts.isPrivateIdentifier(member.name);
    if (isPrivate || member.parameters === undefined) continue;
    const own = ts.isConstructorDeclaration(member) ? `new ${name}` : `${name}.${member.name.getText()}`;
    addParameters(checker, member, own, found);
  }
}

function addParameters(checker, declaration, name, found) {
  for (const parameter of declaration.parameters) {
    const own = parameter.name.getText();
    if (own === "this") continue; // It only says that the method needs none.
    found.add(`${name}(${own})`);
    const type = checker.getNonNullableType(checker.getTypeAtLocation(parameter));
    const isOptions = type.symbol?.declarations?.some((it) => ts.isInterfaceDeclaration(it) && it.getSourceFile().fileName.startsWith(DIST));
    if (isOptions) for (const member of type.getProperties()) found.add(`${name}(${own}.${member.name})`);
  }
}
