/** Loads the application in a chunk of its own. */
import("./page.js").then(({ start }) => start());
