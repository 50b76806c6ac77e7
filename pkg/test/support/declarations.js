/** Reads the declarations of the package: every public function with its parameters, and every object of options. */
import ts from "typescript-api";

const DIST = new URL("../../dist/", import.meta.url).pathname;
/**
 * The entries, with the prefix of their names here. The hooks of `react` work in components only: tests/react calls them.
 * The two entries beside their modules export the functions of the others, but for `init` and `initSync`.
 */
const ENTRIES = {
  "index.d.ts": "", "external.d.ts": "external.", "cache.d.ts": "cache.", "encrypted.d.ts": "encrypted.", "encrypted-external.d.ts": "sealed.",
  "rest.d.ts": "rest.", "tanstack-query.d.ts": "queries.", "testing.d.ts": "testing.",
};

const OPTIONS = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.NodeNext,
  moduleResolution: ts.ModuleResolutionKind.NodeNext,
  lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
  strict: true,
};

/**
 * Returns the parameters of all exported functions, constructors, methods and setters, each as `function(parameter)`,
 * and the members of their options, each as `function(parameter.member)`.
 */
export function declaredParameters(entries = ENTRIES) {
  const program = ts.createProgram(Object.keys(entries).map((entry) => DIST + entry), OPTIONS);
  const checker = program.getTypeChecker();
  const found = new Set();
  const seen = new Set();
  for (const [entry, prefix] of Object.entries(entries)) {
    const source = program.getSourceFile(DIST + entry);
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source))) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      for (const declaration of symbol.declarations ?? []) {
        // Several entries export the same class or function.
        if (!seen.has(declaration)) visit(checker, declaration, prefix + exported.name, found);
        seen.add(declaration);
      }
    }
  }
  return found;
}

/** The interfaces whose methods applications call. Applications implement or read the others. */
const HANDLES = new Set(["Campaign", "Catalogue", "CampaignLike", "CampaignListLike", "CampaignSyncLike", "testing.FakeCampaignSync"]);

/** The bodies of requests. The server checks their members. */
const BODIES = new Set(["NewCampaign", "FaultSettings"]);

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
    // A client or a library is checked by its methods.
    // Text may stand for some objects, such as positions.
    const objects = type.isUnion() ? type.types.filter((it) => it.flags & ts.TypeFlags.Object) : [type];
    if (!objects.every(isOptions)) continue;
    for (const member of objects.flatMap((it) => it.getProperties())) found.add(`${name}(${own}.${member.name})`);
  }
}

/** Whether a type is that of an object whose members the package declares. */
function isOptions(type) {
  if (type.isIntersection()) return type.types.every(isOptions);
  const { name, declarations = [] } = type.aliasSymbol ?? type.symbol ?? {};
  if (BODIES.has(name) || name?.endsWith("Like")) return false;
  if (type.getCallSignatures().length + type.getConstructSignatures().length > 0) return false;
  const isMapped = ["Omit", "Partial", "Pick"].includes(name);
  const isOwn = declarations.some((it) => (ts.isInterfaceDeclaration(it) || ts.isTypeLiteralNode(it) || ts.isTypeAliasDeclaration(it)) && it.getSourceFile().fileName.startsWith(DIST));
  return isMapped || isOwn;
}

const ALL = ["index", "external", "cache", "rest", "react", "tanstack-query", "encrypted", "encrypted-external"];
let all;

/** The program of all entries, made once. */
function allEntries() {
  return (all ??= ts.createProgram(ALL.map((entry) => `${DIST}${entry}.d.ts`), OPTIONS));
}

/** The type of this name that the main entry exports. */
function declaredType(name) {
  const program = allEntries();
  const checker = program.getTypeChecker();
  const exported = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(`${DIST}index.d.ts`)));
  const symbol = exported.find((it) => it.name === name);
  return checker.getDeclaredTypeOfSymbol(symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol);
}

/** Returns the names of the members of an interface that the main entry exports. */
export function declaredMembers(name) {
  return declaredType(name).getProperties().map((it) => it.name).sort();
}

/** Returns the words of a union that the main entry exports, and whether it takes other words. */
export function declaredUnion(name) {
  const type = declaredType(name);
  const words = type.types.filter((it) => it.isStringLiteral()).map((it) => it.value);
  return { words: words.sort(), open: words.length < type.types.length };
}

/** Returns the types that the public declarations write: of members, parameters, results and aliases. */
export function publicTypes() {
  const program = allEntries();
  const checker = program.getTypeChecker();
  const found = new Map();
  for (const entry of ALL) {
    for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(`${DIST}${entry}.d.ts`)))) {
      const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
      for (const declaration of symbol.declarations ?? []) collect(declaration, exported.name, found);
    }
  }
  return [...found].map(([name, type]) => ({ name, type }));
}

/** Private members have no type in declarations. */
function collect(node, name, found) {
  const own = node.name === undefined ? name : `${name} ${node.name.getText()}`;
  if (node.type !== undefined) found.set(`${own} ${node.pos}`, node.type.getText());
  ts.forEachChild(node, (child) => collect(child, own, found));
}
