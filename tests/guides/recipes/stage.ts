/** The interface between the test of the recipes and a page. */
import { client } from "./client";

export const stage = {
  client,
  /** The phases that the counted component rendered: one for each render. */
  phases: [] as unknown[],
  /** The statuses that it rendered. */
  statuses: [] as string[],
  mount(_id: string): void {},
  unmount(): void {},
};

Object.assign(globalThis, { stage });
