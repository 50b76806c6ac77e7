/**
 * `campaign-sync/testing`: a server in the memory of a test, and fakes for components that are tested without a client.
 *
 * It imports no entry with a module, needs no network and no other package, and works in Node and in a page.
 *
 * @module campaign-sync/testing
 */
export { CampaignSyncError } from "./errors.js";
export { fakeCampaignSync } from "./testing/fakes.js";
export type { FakeCampaignSync, FakeOptions } from "./testing/fakes.js";
export type { TestCampaign, TestPosition, TestRow, TestServerOptions, TestState, TransitionOptions } from "./testing/options.js";
export { createTestServer, type TestRestOptions, type TestServer, type TestSocketConstructor, type TestSocketOptions } from "./testing/server.js";
export type { TestRequest } from "./testing/state.js";
export type { AdvanceTimers } from "./testing/time.js";
export { fakeView, type PartialView } from "./testing/view.js";
export type { CampaignAction, ErrorCode } from "./words.js";
