// Compiles `program.ts` with one compiler, in every way of resolving modules that it has, against the declarations of
// the package and those of React 18 and 19: `skipLibCheck` is off and `lib` is the oldest that the package supports.
import { execFileSync } from "node:child_process";
import { copyFileSync, writeFileSync } from "node:fs";

const compiler = process.argv[2];
const major = Number(compiler.split("-")[1].split(".")[0]);
const COMMON = { noEmit: true, strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true, skipLibCheck: false, target: "ES2020", types: [] };
const NODE16 = { module: "node16", moduleResolution: "node16" };
const BUNDLER = { module: "esnext", moduleResolution: "bundler" };
// TypeScript 6 warns of this resolution, and TypeScript 7 does not have it any more.
const NODE10 = { moduleResolution: "node10", esModuleInterop: true, ...(major === 6 && { ignoreDeprecations: "6.0" }) };
const OLD = ["ES2020", "DOM"];
const WAYS = [
  [{ ...NODE16, lib: OLD }, "program.mts"],
  [{ ...NODE16, lib: OLD }, "program.cts"],
  [{ ...BUNDLER, lib: OLD }, "program.ts"],
  [{ ...BUNDLER, lib: ["ESNext", "DOM", "DOM.Iterable"] }, "program.ts"],
  ...(major < 7 ? [[{ module: "commonjs", ...NODE10, lib: OLD }, "program.ts"], [{ module: "esnext", ...NODE10, lib: OLD }, "program.ts"]] : []),
];
/** The declarations of React, which every import of it finds. */
const REACT = ["react-types-18", "react-types-19"];

for (const name of ["program.mts", "program.cts"]) copyFileSync("program.ts", name);
let compiled = 0;
for (const react of REACT) {
  for (const [options, file] of WAYS) {
    const paths = { react: [`./node_modules/${react}/index.d.ts`] };
    writeFileSync("tsconfig.json", JSON.stringify({ compilerOptions: { ...COMMON, ...options, paths }, files: [file] }));
    try {
      execFileSync(process.execPath, [`node_modules/${compiler}/bin/tsc`], { encoding: "utf8" });
      compiled += 1;
    } catch (error) {
      console.error(`${react} ${JSON.stringify(options)} ${file}\n${error.stdout}`);
      process.exitCode = 1;
    }
  }
}
if (process.exitCode === undefined) console.log(`outcome ${JSON.stringify({ compiled })}`);
