/** The global object, each member of which some supported platform lacks. */
export const platform = globalThis as unknown as Partial<Window & typeof globalThis & { process: NodeProcess }>;

/** The part of Node's `process` that the package uses. */
interface NodeProcess {
  getBuiltinModule?(name: "fs/promises"): { readFile(file: URL): Promise<Uint8Array<ArrayBuffer>> };
}
