/** The ways in which consumers run. Each returns a function from the surroundings of a run to its outcome. */
import { join } from "node:path";

import { run, start, tail } from "./process.mjs";
import { answers, open, serve } from "./site.mjs";

/** A program that prints its outcome, after the commands that build it. */
export function program(...commands) {
  return async ({ place, env }) => {
    let output = "";
    for (const command of commands) output = await run(command, { cwd: place, env });
    return outcomeIn(output);
  };
}

/** A page whose files commands write into a directory. */
export function built(commands, directory, { policy } = {}) {
  return async ({ place, env, port, address, browser, socket }) => {
    for (const command of commands) await run(command, { cwd: place, env });
    const site = await serve(join(place, directory), { port, pageFrom: place, policy: policy?.(socket) });
    try {
      return await open(browser, address);
    } finally {
      await site.stop();
    }
  };
}

/** As `built`, for tools that write the page as well. */
export function builtPage(commands, directory) {
  return async (surroundings) => {
    const { place, env, port, address, browser } = surroundings;
    for (const command of commands) await run(command, { cwd: place, env });
    const site = await serve(join(place, directory), { port });
    try {
      return await open(browser, address);
    } finally {
      await site.stop();
    }
  };
}

/**
 * A server, after the commands that build it: its page follows the campaign in the browser and, if there is the path of
 * another page, the server follows it while it renders that one.
 */
export function served(commands, command, { rendered } = {}) {
  return async ({ place, env, port, address, browser }) => {
    for (const each of commands) await run(each, { cwd: place, env });
    const server = start(command.map((word) => word.replace("PORT", port)), { cwd: place, env: { ...env, PORT: String(port), HOST: "127.0.0.1" } });
    try {
      await answers(`http://127.0.0.1:${port}/`, server);
      const outcome = await open(browser, address);
      if (rendered === undefined) return outcome;
      const html = await (await answers(`http://127.0.0.1:${port}${rendered}`, server)).text();
      return { ...outcome, rendered: outcomeIn(html) };
    } catch (error) {
      throw new Error(`${error.message}\n${tail(server.output())}`);
    } finally {
      await server.stop();
    }
  };
}

/** The outcome in a text: the word `outcome` and JSON, as it is or escaped for HTML. */
function outcomeIn(text) {
  const found = /outcome (\{.*?\})/.exec(text.replaceAll("&quot;", '"'));
  if (found === null) throw new Error(`no outcome in:\n${tail(text)}`);
  return JSON.parse(found[1]);
}
