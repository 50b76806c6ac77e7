/**
 * The WebAssembly module in use. Importing the package has no side effect, so it can be imported without a browser
 * and without the compiled file, for example when a page is rendered on a server.
 */
import type { Perform, WasmClientConstructor } from "./bridge.js";
import { invalidArgument } from "./check.js";
import { CampaignSyncError } from "./errors.js";
import { report } from "./frame.js";
import { platform } from "./platform.js";
import { shared } from "./shared.js";
import { VERSION } from "./version.js";

/**
 * The source of the WebAssembly module: an address, a request, a response, bytes or a compiled module. The platform
 * declares a compiled module without members, so `object` keeps numbers out.
 */
export type InitInput = string | URL | Request | Response | BufferSource | (WebAssembly.Module & object);

/** The JavaScript that wasm-bindgen generates for a module: the imports of the module, and the class that it exports. */
export interface Generated {
  readonly Client: unknown;
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
}

/** Performs effects. The imports of the module call it with the number of a machine's host and the detail as JSON. */
export interface Hosts {
  perform(host: number, effect: string, detail: string): void;
}

/** Makes the generated JavaScript. It is called at the load, because it reads globals of the platform. */
export type Glue = (hosts: Hosts) => Generated;

/** The modules that are loaded. All copies of this version of the package on a page share them. */
interface Modules {
  /** The generated class of the module in use. */
  current?: { readonly client: WasmClientConstructor; readonly priority: number };
  /** The state of each module, by its priority. */
  readonly loads: Record<number, { done?: Promise<void>; ready?: true }>;
  /** The hosts of the machines, by their number. */
  readonly hosts: Map<number, Perform>;
  /** The number of the last host. */
  last: number;
}

/** Loads one module. Only the first successful load has an effect. */
export class Loader {
  readonly #glue: Glue;
  readonly #file: () => InitInput | Promise<InitInput>;
  readonly #priority: number;

  /**
   * @param file The default file of the module. It is resolved at the first use, because `import.meta.url` is not an
   * address on every platform.
   * @param priority Identifies the module. If several are loaded, the one with the highest priority makes the clients.
   */
  constructor(glue: Glue, file: () => InitInput | Promise<InitInput>, priority: number) {
    this.#glue = glue;
    this.#file = file;
    this.#priority = priority;
  }

  load(input?: InitInput | Promise<InitInput>): Promise<void> {
    const state = this.#state();
    return (state.done ??= this.#load(input).catch((cause: unknown) => {
      if (state.ready) return; // `loadSync` finished meanwhile.
      delete state.done;
      throw loadFailure(cause);
    }));
  }

  async #load(input: InitInput | Promise<InitInput> | undefined): Promise<void> {
    const source = (await input) ?? (await this.#file());
    const generated = this.#glue(HOSTS);
    this.#start(generated, await instantiate(source, importsOf(generated)));
  }

  loadSync(input: BufferSource | (WebAssembly.Module & object)): void {
    const state = this.#state();
    if (state.ready) return;
    try {
      const generated = this.#glue(HOSTS);
      const module = kind(input) === "Module" ? (input as WebAssembly.Module) : new WebAssembly.Module(bytes(input as BufferSource));
      this.#start(generated, new WebAssembly.Instance(module, importsOf(generated)));
    } catch (cause) {
      throw loadFailure(cause);
    }
    state.done ??= Promise.resolve();
  }

  #state(): Modules["loads"][number] {
    return (modules().loads[this.#priority] ??= {});
  }

  #start(generated: Generated, { exports }: WebAssembly.Instance): void {
    const state = this.#state();
    if (state.ready) return; // `loadSync` finished before the download.
    generated.__wbg_set_wasm(exports);
    state.ready = true;
    const all = modules();
    if (all.current !== undefined && all.current.priority > this.#priority) return;
    all.current = { client: generated.Client as WasmClientConstructor, priority: this.#priority };
  }
}

function modules(): Modules {
  return shared<Modules>(`modules ${VERSION}`, () => ({ loads: {}, hosts: new Map(), last: 0 }));
}

const HOSTS: Hosts = {
  perform: (host, effect, detail) => modules().hosts.get(host)?.(effect, JSON.parse(detail)),
};

/** Returns a number for a new machine, whose effects `perform` receives until `removeHost`. */
export function addHost(perform: Perform): number {
  const all = modules();
  all.hosts.set((all.last += 1), perform);
  return all.last;
}

export function removeHost(host: number): void {
  modules().hosts.delete(host);
}

function importsOf(generated: Generated): WebAssembly.Imports {
  const imports = Object.entries(generated as unknown as Record<string, Import>);
  return { "./campaign_sync_bg.js": Object.fromEntries(imports.map(([name, call]) => [name, guarded(call)])) };
}

/** The generated class. Throws `not_initialized` before a module is loaded. */
export function wasmClient(): WasmClientConstructor {
  const { current } = modules();
  if (current === undefined) throw new CampaignSyncError("not_initialized");
  return current.client;
}

async function instantiate(input: InitInput, imports: WebAssembly.Imports): Promise<WebAssembly.Instance> {
  let source = input;
  if (typeof source === "string" || kind(source) === "URL" || kind(source) === "Request") source = await fetch(source as URL);
  if (kind(source) === "Module") return WebAssembly.instantiate(source as WebAssembly.Module, imports);
  if (kind(source) !== "Response") return (await WebAssembly.instantiate(bytes(source as BufferSource), imports)).instance;
  const response = source as Response;
  if (!response.ok) throw new Error(`${response.status} ${response.url}`);
  try {
    return (await WebAssembly.instantiateStreaming(response.clone(), imports)).instance;
  } catch {
    // The server may send another type than `application/wasm`. If the file is damaged, this call fails as well.
    return (await WebAssembly.instantiate(await response.arrayBuffer(), imports)).instance;
  }
}

function bytes(input: BufferSource): BufferSource {
  if (ArrayBuffer.isView(input) || kind(input) === "ArrayBuffer") return input;
  throw invalidArgument("input", "the .wasm file: address, response, bytes or module");
}

function loadFailure(cause: unknown): CampaignSyncError {
  if (cause instanceof CampaignSyncError) return cause;
  // The policy of the page does not apply to `validate`, so an engine that refuses the probe lacks a feature.
  return new CampaignSyncError(platform.WebAssembly?.validate(PROBE) === true ? "load_failed" : "unsupported_browser", { cause });
}

/**
 * A module that only an engine with every feature that the package's modules use takes. It has one function type,
 * without parameters and with the results v128 (SIMD) and externref (reference types, multi-value), and a count of data
 * segments, zero (bulk memory). Engines with these three have the older features as well.
 */
const PROBE = Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 0, 2, 123, 111, 12, 1, 0);

/** The type name of a platform object. It is correct for objects from another realm as well. */
function kind(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1).replace("WebAssembly.", "");
}

/**
 * Wraps an import of the module. The page may have replaced any function that the import calls. An exception that
 * passed through the machine would leave it locked, so it ends here: it is reported, and the machine receives nothing.
 */
function guarded(call: Import): Import {
  return (...values) => {
    try {
      return call(...values);
    } catch (error) {
      report(error);
      return undefined;
    }
  };
}

type Import = (...values: never[]) => unknown;
