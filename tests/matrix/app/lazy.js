/** Loads the application in a separate chunk. */
import("./page.js").then(({ start }) => start());
