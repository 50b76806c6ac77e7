import { defineConfig, type Plugin } from "vite";

/** What the built page may do. The development server injects inline code, so it goes without. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'wasm-unsafe-eval'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
].join("; ");

const policy: Plugin = {
  name: "content-security-policy",
  apply: "build",
  transformIndexHtml: () => [
    { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content: POLICY }, injectTo: "head-prepend" },
  ],
};

export default defineConfig({
  plugins: [policy],
  build: {
    target: "es2022",
    // Nothing may become a data: address; the policy would refuse it.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    fs: { allow: [".."] },
    // The server is told of this page: `campaign-sync-server --origin http://localhost:5173`.
    proxy: { "/api": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
