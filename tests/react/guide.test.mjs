// The page docs/REACT.md: all its blocks are the files of one application, which compiles and runs.

import { strict as assert } from "node:assert";
import { execFile } from "node:child_process";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { withStage } from "./lib/stage.mjs";

const OUT = new URL("guide/", import.meta.url);
const guide = await readFile(new URL("../../docs/REACT.md", import.meta.url), "utf8");
const blocks = [...guide.matchAll(/```tsx\n\/\/ (\S+)\n([^]*?)```/g)].map(([, name, text]) => [name, text]);

/** Adds what the text of the guide says: the actions, and the provider of TanStack Query. */
function complete(main) {
  const imports = `import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { actions } from "./actions";
import { QueryBinding, Transitions } from "./transitions";
const queries = new QueryClient();
const id = new URLSearchParams(location.search).get("campaign");
`;
  const tree = "<QueryClientProvider client={queries}><QueryBinding /><Transitions id={id} /><App /></QueryClientProvider>";
  return imports + main.replace("create={create}", "create={create} actions={actions}").replace("<App />", tree);
}

before(async () => {
  await mkdir(OUT, { recursive: true });
  for (const [name, text] of blocks) {
    await writeFile(new URL(name, OUT), name === "main.tsx" ? complete(text) : text);
  }
});
const versions = [18, 19];
const open = withStage(versions, { entry: "guide/main.tsx" });
after(() => rm(OUT, { recursive: true }));

test("every block of code of the guide is one of its files", () => {
  assert.equal(blocks.length, guide.split("```tsx").length - 1);
  assert.deepEqual(blocks.map(([name]) => name), ["main.tsx", "campaign.tsx", "domains.tsx", "actions.tsx", "app.tsx", "transitions.tsx"]);
});

test("blocks of the guide compile", async () => {
  const config = { extends: "../tsconfig.json", compilerOptions: { paths: {
    "campaign-sync": ["../../../pkg/dist/index.d.ts"], "campaign-sync/react": ["../../../pkg/dist/react.d.ts"],
    "campaign-sync/rest": ["../../../pkg/dist/rest.d.ts"], "campaign-sync/tanstack-query": ["../../../pkg/dist/tanstack-query.d.ts"],
    react: ["../node_modules/@types/react/index.d.ts"] } }, include: ["."] };
  await writeFile(new URL("tsconfig.json", OUT), JSON.stringify(config));
  const compiler = new URL("node_modules/typescript/bin/tsc", import.meta.url).pathname;
  const { stdout } = await promisify(execFile)(process.execPath, [compiler, "-p", OUT.pathname]).catch((error) => error);
  assert.equal(stdout, "");
});

for (const version of versions) {
  test(`React ${version}: application of the guide follows a campaign`, async () => {
    const { page, server } = await open(version);
    const id = await server.generated({ count: 120, rate: 5_000, name: "From the guide" });
    await page.goto(`${server.origin}/?campaign=${id}`);
    await page.getByRole("heading", { name: "From the guide" }).waitFor();
    await page.getByText("120 domains").waitFor();
    const domain = (await page.locator("li", { hasText: "." }).first().textContent()).trim();
    await page.getByLabel("Search").fill(domain);
    await page.getByText(/^1 domains$/).waitFor();
    await page.getByRole("button", { name: "configure-dns" }).click();
    await page.getByText("now in dns_validation").waitFor();
    await page.getByText(/^dns_validation: 0 %$/).waitFor();
    await page.locator("ol li", { hasText: "dns_validation/configured" }).waitFor();
    await server.act(id, "validate-dns");
    await server.reaches(id, "dns_validation", "completed");
    await page.getByText("dns_validation: 100 %").waitFor();
    assert.deepEqual(page.problems, []);
  });
}
