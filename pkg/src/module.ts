/**
 * The WebAssembly module in use. Importing the package has no side effect, so it can be imported without a browser
 * and without the compiled file, for example when a page is rendered on a server.
 */
import type { WasmClientConstructor } from "./bridge.js";
import { invalidArgument } from "./check.js";
import { CampaignSyncError } from "./errors.js";
import { report } from "./frame.js";

/** The source of the WebAssembly module: an address, a request, a response, bytes or a compiled module. */
export type InitInput = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/** The JavaScript that wasm-bindgen generates for a module: the imports of the module, and the class that it exports. */
export interface Generated {
  readonly Client: unknown;
  __wbg_set_wasm(exports: WebAssembly.Exports): void;
}

/** The generated class of the module in use. */
let current: { readonly client: WasmClientConstructor; readonly priority: number } | undefined;

/** Loads one module. Only the first successful load has an effect. */
export class Loader {
  readonly #generated: Generated;
  readonly #file: () => InitInput;
  readonly #priority: number;
  #loading: Promise<void> | undefined;
  #ready = false;

  /**
   * @param file The default file of the module. It is resolved at the first use, because `import.meta.url` is not an
   * address on every platform.
   * @param priority If several modules are loaded, the one with the highest priority makes the clients.
   */
  constructor(generated: Generated, file: () => InitInput, priority: number) {
    this.#generated = generated;
    this.#file = file;
    this.#priority = priority;
  }

  load(input?: InitInput | Promise<InitInput>): Promise<void> {
    if (this.#ready) return Promise.resolve();
    this.#loading ??= this.#load(input).catch((cause: unknown) => {
      this.#loading = undefined;
      throw loadFailure(cause);
    });
    return this.#loading;
  }

  async #load(input: InitInput | Promise<InitInput> | undefined): Promise<void> {
    this.#start(await instantiate((await input) ?? this.#file(), this.#imports()));
  }

  loadSync(input: BufferSource | WebAssembly.Module): void {
    if (this.#ready) return;
    try {
      const module = kind(input) === "Module" ? (input as WebAssembly.Module) : new WebAssembly.Module(bytes(input as BufferSource));
      this.#start(new WebAssembly.Instance(module, this.#imports()));
    } catch (cause) {
      throw loadFailure(cause);
    }
  }

  #imports(): WebAssembly.Imports {
    const generated = Object.entries(this.#generated as unknown as Record<string, Import>);
    return { "./campaign_sync_bg.js": Object.fromEntries(generated.map(([name, call]) => [name, guarded(name, call)])) };
  }

  #start({ exports }: WebAssembly.Instance): void {
    if (this.#ready) return; // `loadSync` finished before the download.
    this.#generated.__wbg_set_wasm(exports);
    (exports["__wbindgen_start"] as () => void)();
    this.#ready = true;
    // Of two copies of one entry, the first that loaded makes the clients of both.
    if (current !== undefined && current.priority >= this.#priority) return;
    current = { client: this.#generated.Client as WasmClientConstructor, priority: this.#priority };
  }
}

/** The generated class. Throws `not_initialized` before a module is loaded. */
export function wasmClient(): WasmClientConstructor {
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
  return cause instanceof CampaignSyncError ? cause : new CampaignSyncError("load_failed", { cause });
}

/** The type name of a platform object. It is correct for objects from another realm as well. */
function kind(value: unknown): string {
  return Object.prototype.toString.call(value).slice(8, -1).replace("WebAssembly.", "");
}

/**
 * Wraps an import of the module. The page may have replaced any function that the import calls. An exception that
 * passed through the machine would leave it locked, so it ends here: it is reported, and the machine receives nothing.
 */
function guarded(name: string, call: Import): Import {
  const safe = name === "__wbg_setTimeout" ? startTimer : name === "__wbg_clearTimeout" ? stopTimer : call;
  return (...values) => {
    try {
      return safe(...values);
    } catch (error) {
      report(error);
      return undefined;
    }
  };
}

type Import = (...values: never[]) => unknown;

/** A timer of the module. */
interface Timer {
  run: () => void;
  id?: ReturnType<typeof setTimeout>;
}

/**
 * Replaces the generated import. The module has no answer to a `setTimeout` that throws, so an interval that runs once
 * replaces it.
 */
function startTimer(run: () => void, ms: number): Timer {
  const timer: Timer = { run };
  try {
    timer.id = setTimeout(() => timer.run(), ms);
  } catch (error) {
    report(error);
    timer.id = setInterval(() => {
      clearInterval(timer.id);
      timer.run();
    }, ms);
  }
  return timer;
}

/** Replaces the generated import. A timer that could not be cleared must not call the module. */
function stopTimer(timer: Timer): void {
  timer.run = () => {};
  clearTimeout(timer.id);
}
