/**
 * Writes `src/rest/types.ts`: the types of the REST interface, from the server's description `docs/openapi.json`. With
 * `--check` it fails instead if the file is not current.
 *
 * openapi-typescript prints with TypeScript's API, which TypeScript 7 does not have. The hook gives it TypeScript 5.
 */
import { readFile, writeFile } from "node:fs/promises";
import { register } from "node:module";

const hook = 'export const resolve = (name, context, next) => next(name === "typescript" ? "typescript-api" : name, { ...context, parentURL: name === "typescript" ? context.data : context.parentURL });';
register(`data:text/javascript,${encodeURIComponent(hook.replace("context.data", JSON.stringify(import.meta.url)))}`);

const { astToString, default: openapiTS } = await import("openapi-typescript");

const file = new URL("../src/rest/types.ts", import.meta.url);
const document = JSON.parse(await readFile(new URL("../../docs/openapi.json", import.meta.url), "utf8"));
const nodes = await openapiTS(document, { alphabetize: true });
const text = `/** The types of the REST interface. \`npm run rest-types\` writes this file from docs/openapi.json. */\n${astToString(nodes)}`;
if (!process.argv.includes("--check")) await writeFile(file, text);
else if ((await readFile(file, "utf8")) !== text) throw new Error("src/rest/types.ts is not current: run `npm run rest-types`");
