// Runs components in Node, in a document of jsdom.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before } from "node:test";
import { pathToFileURL } from "node:url";

import { JSDOM } from "jsdom";

import { bundle, VERSIONS } from "./bundle.mjs";

/** Loads `entry` with each version of React before the tests. Returns the modules by their version. */
export function withDocument(entry) {
  const modules = new Map();
  let directory;
  before(async () => {
    directory = await mkdtemp(join(tmpdir(), "campaign-sync-react-"));
    const { window } = new JSDOM("");
    // React closes no channel, and each would keep this process alive.
    globalThis.MessageChannel = class {
      port1 = { close() {} };
      port2 = { postMessage: () => setImmediate(() => this.port1.onmessage()) };
    };
    for (const [name, value] of Object.entries({ window, document: window.document, navigator: window.navigator, IS_REACT_ACT_ENVIRONMENT: true })) {
      Object.defineProperty(globalThis, name, { value, configurable: true });
    }
    for (const version of Object.keys(VERSIONS)) {
      const file = join(directory, `${version}.mjs`);
      await writeFile(file, await bundle(entry, version, { platform: "node" }));
      modules.set(version, await import(pathToFileURL(file)));
    }
  });
  after(async () => {
    window.close();
    await rm(directory, { recursive: true });
  });
  return modules;
}
