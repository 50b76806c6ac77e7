/** The blocks of code in docs/DEVELOPMENT.md, for the tests that run them. */
import { readFile } from "node:fs/promises";

const guide = await readFile(new URL("../../../docs/DEVELOPMENT.md", import.meta.url), "utf8");

/** Returns the only block of a language that begins with this text. */
export function block(language, begin) {
  const blocks = [...guide.matchAll(/```(\w+)\n([^]*?)```/g)].map(([, name, text]) => ({ name, text }));
  const [found, ...others] = blocks.filter(({ name, text }) => name === language && text.startsWith(begin));
  if (found === undefined || others.length > 0) throw new Error(`not exactly one block that begins with ${begin}`);
  return found.text;
}

/** The options of the server in a command of the guide, for a page at another port. */
export function serverOptions(command, port) {
  const [, ...options] = block("sh", command).trim().split(" ");
  return options.map((it) => it.replace(/:\d+$/, `:${port}`));
}
