/** The half of docs/DEVELOPMENT.md that is about Next: its configuration, its command and its client, as they stand there. */
import { cp, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { block, serverOptions } from "../../e2e/lib/guide.mjs";
import { Server } from "../../e2e/lib/server.mjs";
import { start, tail } from "./process.mjs";
import { answers, open } from "./site.mjs";

const APP = fileURLToPath(new URL("../app", import.meta.url));
const PAGE = fileURLToPath(new URL("../guide", import.meta.url));
/** The password is `correct horse`. */
const USERS = "ada-l:$argon2id$v=19$m=8,t=1,p=1$c2FsdCBvZiBhZGE$fu6ySt22cePflwe47YpqBE8zXah/JVm0EUJqxTP7e04\n";

/** Follows a campaign with so many rows in a page of Next's development server, configured as the guide says. */
export function guideOfNext(command, rows) {
  return async ({ place, env, port, browser }) => {
    const users = join(place, "users");
    await writeFile(users, USERS);
    const options = serverOptions("campaign-sync-server --origin http://localhost:3000", port);
    const server = await Server.start([...options, "--users", users], APP);
    await writePage(place, server.port);
    const next = start(command.map((word) => word.replace("PORT", port)), { cwd: place, env });
    try {
      const address = `http://localhost:${port}/guide?count=${rows}`;
      await answers(address, next);
      return await open(browser, address);
    } catch (error) {
      throw new Error(`${error.message}\n${tail(next.output())}`);
    } finally {
      await next.stop();
      await server.stop();
      await rm(join(place, "app/guide"), { recursive: true, force: true });
    }
  };
}

async function writePage(place, port) {
  const page = join(place, "app/guide");
  await rm(page, { recursive: true, force: true });
  await cp(PAGE, page, { recursive: true });
  const client = block("js", "const sync = new CampaignSync({\n  url: \"ws://localhost:8080").replace("8080", port);
  await writeFile(join(page, "client.js"), `import { CampaignSync } from "campaign-sync";
import { session } from "./session.js";
export function create() {
${client}return sync;
}
`);
  const config = block("js", "// next.config.mjs").replace("127.0.0.1:8080", `127.0.0.1:${port}`);
  await writeFile(join(place, "guide.config.mjs"), config);
  // The root is that of the project. Next would look for it among the lock files of the directories above.
  await writeFile(join(place, "next.config.mjs"), `import guide from "./guide.config.mjs";
const root = import.meta.dirname;
export default { ...guide, turbopack: { root }, outputFileTracingRoot: root };
`);
}
