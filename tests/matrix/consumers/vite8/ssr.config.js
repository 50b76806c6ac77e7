// Bundles the package into the server's program as well.
export default { ssr: { noExternal: true, external: ["ws"] }, build: { ssr: "program.js", outDir: "out" } };
