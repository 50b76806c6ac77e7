/**
 * Checks the tarball with publint and are-the-types-wrong. A finding of either fails, also a suggestion.
 *
 * The entries whose names end in `.wasm` are files for bundlers and have a declaration only, so are-the-types-wrong does
 * not look at them.
 */
import { execFileSync } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const PACKAGE = fileURLToPath(new URL("../../pkg/", import.meta.url));

const directory = await mkdtemp(join(tmpdir(), "campaign-sync-"));
try {
  // The files are built already; the scripts that run before packing would build them again, beside other checks.
  execFileSync("npm", ["pack", "--ignore-scripts", "--pack-destination", directory], { cwd: PACKAGE, stdio: "ignore" });
  const manifest = JSON.parse(await readFile(join(PACKAGE, "package.json"), "utf8"));
  const tarball = await readFile(join(directory, `${manifest.name}-${manifest.version}.tgz`));
  report("publint", await findingsOfPublint(tarball, manifest));
  report("are-the-types-wrong", await findingsOfTypes(tarball));
} finally {
  await rm(directory, { recursive: true, force: true });
}

async function findingsOfPublint(tarball, manifest) {
  const bytes = tarball.buffer.slice(tarball.byteOffset, tarball.byteOffset + tarball.byteLength);
  const { messages } = await publint({ pack: { tarball: bytes }, strict: true });
  return messages.map((message) => formatMessage(message, manifest));
}

async function findingsOfTypes(tarball) {
  const options = { excludeEntrypoints: [/\.wasm$/, "./package.json"] };
  const result = await checkPackage(createPackageFromTarballData(new Uint8Array(tarball)), options);
  const entries = Object.keys(result.entrypoints ?? {});
  if (result.types === false || entries.length < 5) return [`found only the entries ${entries}`];
  return result.problems.map((problem) => JSON.stringify(problem));
}

function report(name, findings) {
  console.log(`${findings.length === 0 ? "ok" : "not ok"} - ${name}`);
  for (const finding of findings) console.log(`  ${finding}`);
  if (findings.length > 0) process.exitCode = 1;
}
