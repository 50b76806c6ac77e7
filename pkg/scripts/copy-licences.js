/** Runs before packing. npm packs files of the package's directory only, so this copies the repository's licences there. */
import { copyFile } from "node:fs/promises";

const root = new URL("../", import.meta.url);
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(new URL(`../${name}`, root), new URL(name, root));
