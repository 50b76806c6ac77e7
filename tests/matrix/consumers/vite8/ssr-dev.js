// The development server of a framework that renders on the server with Vite.
import { createServer } from "vite";

const server = await createServer({ server: { middlewareMode: true, ws: false, hmr: false }, appType: "custom", logLevel: "error" });
await server.ssrLoadModule("/program.js");
