import { defineConfig, type Plugin } from "vite";

/** The Content-Security-Policy of the built page. The development server injects inline code, so it has no policy. */
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
    // The policy refuses `data:` addresses, so no asset may be inlined.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  server: {
    fs: { allow: [".."] },
    // The server must allow this page's origin: `campaign-sync-server --origin http://localhost:5173`.
    proxy: { "/api": { target: "http://127.0.0.1:8080", ws: true } },
  },
});
