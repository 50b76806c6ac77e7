// `settled()` of campaign-sync/testing with `act` of React, and components that never come to rest: it rejects with a code
// before a test exceeds its time.

import { strict as assert } from "node:assert";
import { test } from "node:test";

import { VERSIONS } from "./lib/bundle.mjs";
import { withDocument } from "./lib/document.mjs";

const COMPONENTS = ["renders after each answer", "renders a millisecond after each answer", "asks again at once", "asks again soon", "asks again at once, and renders"];
const pages = withDocument("pages/restless.tsx");

for (const version of Object.keys(VERSIONS)) {
  for (const name of COMPONENTS) {
    test(`React ${version}: component that ${name} is reported by settled()`, { timeout: 60_000 }, async (t) => {
      t.mock.method(console, "error", () => {}); // React says that the component renders outside `act`.
      assert.deepEqual(await pages.get(version).settledBeside(name), ["timed_out", "works"]);
    });
  }

  test(`React ${version}: every restless component is tried`, () => {
    assert.deepEqual(pages.get(version).names, COMPONENTS);
  });
}
