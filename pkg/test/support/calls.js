// The names of the calls, in the order of their numbers.
import * as Call from "../../dist/calls.js";

export { Call };
export const CALLS = Object.entries(Call).sort(([, one], [, next]) => one - next).map(([name]) => name);
