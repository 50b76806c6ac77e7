// Compiles `program.ts` with one compiler, in every way of resolving modules that it has, against the declarations of
// the package: `skipLibCheck` is off and `lib` is the oldest that the package supports.
import { execFileSync } from "node:child_process";
import { copyFileSync } from "node:fs";

const compiler = process.argv[2];
const major = Number(compiler.split("-")[1].split(".")[0]);
const COMMON = ["--noEmit", "--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess", "--skipLibCheck", "false", "--target", "ES2020"];
const WAYS = [
  ["--module node16 --moduleResolution node16", "program.mts"],
  ["--module node16 --moduleResolution node16", "program.cts"],
  ["--module esnext --moduleResolution bundler", "program.ts"],
  // TypeScript 7 has no such resolution any more.
  ...(major < 7 ? [["--module commonjs --moduleResolution node10 --esModuleInterop", "program.ts"]] : []),
  ...(major < 7 ? [["--module esnext --moduleResolution node10 --esModuleInterop", "program.ts"]] : []),
];

for (const name of ["program.mts", "program.cts"]) copyFileSync("program.ts", name);
for (const [way, file] of WAYS) {
  for (const lib of way.includes("bundler") ? ["ES2020,DOM", "ESNext,DOM,DOM.Iterable"] : ["ES2020,DOM"]) {
    const deprecated = major === 6 && way.includes("node10") ? ["--ignoreDeprecations", "6.0"] : [];
    const values = [`node_modules/${compiler}/bin/tsc`, ...COMMON, "--lib", lib, ...way.split(" "), ...deprecated, file];
    try {
      execFileSync(process.execPath, values, { encoding: "utf8" });
    } catch (error) {
      console.error(`tsc ${values.slice(1).join(" ")}\n${error.stdout}`);
      process.exitCode = 1;
    }
  }
}
if (process.exitCode === undefined) console.log(`outcome ${JSON.stringify({ compiled: WAYS.length + 1 })}`);
