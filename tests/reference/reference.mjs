/**
 * Makes the API reference of every entry from the declarations that the package publishes, into `target/reference`. Any
 * warning fails: a public member without documentation, a type that an entry uses and does not export, a link that leads
 * nowhere.
 */
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

import { Application, ReflectionKind } from "typedoc";

const root = new URL("../../", import.meta.url);
const path = (relative) => fileURLToPath(new URL(relative, root));

const { exports } = JSON.parse(await readFile(path("pkg/package.json"), "utf8"));
const entries = Object.entries(exports).filter(([, forms]) => forms.module !== undefined);
const entryPoints = entries.map(([, forms]) => path(`pkg/${forms.import.types.replace("./", "")}`));

const app = await Application.bootstrap({
  name: "campaign-sync",
  entryPoints,
  tsconfig: fileURLToPath(new URL("tsconfig.json", import.meta.url)),
  basePath: path("pkg/dist"),
  readme: path("pkg/README.md"),
  router: "kind",
  disableGit: true,
  sourceLinkTemplate: "https://github.com/campaign-sync/campaign-sync/blob/main/pkg/dist/{path}",
  excludePrivate: true,
  excludeInternal: true,
  excludeExternals: true,
  treatWarningsAsErrors: true,
  validation: { notExported: true, invalidLink: true, invalidPath: true, rewrittenLink: true, notDocumented: true, unusedMergeModuleWith: true },
  requiredToBeDocumented: ["Module", "Variable", "Function", "Class", "Interface", "TypeAlias", "Constructor", "Property", "Method", "Accessor", "GetSignature"],
});

const project = await app.convert();
if (project === undefined) throw new Error("TypeDoc read no entry");
app.validate(project);

const modules = project.getChildrenByKind(ReflectionKind.Module);
console.log(`${modules.length} entries: ${modules.map(({ name }) => name).join(", ")}`);
if (modules.length !== entries.length) app.logger.error(`${entries.length} entries have code`);
await app.generateDocs(project, path("target/reference"));
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exitCode = 1;
