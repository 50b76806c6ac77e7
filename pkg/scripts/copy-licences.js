/** Before packing: npm takes files from the package's own directory only, the licences are the repository's. */
import { copyFile } from "node:fs/promises";

const root = new URL("../", import.meta.url);
for (const name of ["LICENSE-MIT", "LICENSE-APACHE"]) await copyFile(new URL(`../${name}`, root), new URL(name, root));
