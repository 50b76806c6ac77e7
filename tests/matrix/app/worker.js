/** Follows in a worker what the page names. */
import { follow } from "./follow.js";

onmessage = ({ data }) => {
  follow(data).then(postMessage, (error) => postMessage({ error: `${error.code ?? error.name}: ${error.message} ${error.cause ?? ""}` }));
};
