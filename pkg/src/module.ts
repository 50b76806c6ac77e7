/**
 * The WebAssembly module in use. Importing the package does nothing by itself, so that it can be
 * imported where there is neither a browser nor the compiled file, as when a page is rendered on a server.
 */
import type { WasmClientConstructor } from "./bridge.js";
import { CampaignSyncError } from "./errors.js";

/** Where the WebAssembly module comes from. */
export type InitInput = string | URL | Request | Response | BufferSource | WebAssembly.Module;

/** What the generated code of a module exports. */
export interface Generated {
  readonly Client: unknown;
  initSync(options: { module: unknown }): unknown;
  default(options: { module_or_path: unknown }): Promise<unknown>;
}

/** The generated class of the module in use. */
let current: { readonly client: WasmClientConstructor; readonly priority: number } | undefined;

/** Loads one module, once. */
export class Loader {
  readonly #generated: Generated;
  readonly #priority: number;
  #loading: Promise<void> | undefined;
  #ready = false;

  /** @param priority If several modules are loaded, the one with the highest priority makes the clients. */
  constructor(generated: Generated, priority: number) {
    this.#generated = generated;
    this.#priority = priority;
  }

  load(input?: InitInput | Promise<InitInput>): Promise<void> {
    if (this.#ready) return Promise.resolve();
    this.#loading ??= this.#load(input).catch((cause: unknown) => {
      this.#loading = undefined;
      throw new CampaignSyncError("load_failed", { cause });
    });
    return this.#loading;
  }

  async #load(input: InitInput | Promise<InitInput> | undefined): Promise<void> {
    await this.#generated.default({ module_or_path: input });
    this.#use();
  }

  loadSync(input: BufferSource | WebAssembly.Module): void {
    if (this.#ready) return;
    try {
      this.#generated.initSync({ module: input });
    } catch (cause) {
      throw new CampaignSyncError("load_failed", { cause });
    }
    this.#use();
  }

  #use(): void {
    this.#ready = true;
    if (current !== undefined && current.priority > this.#priority) return;
    current = { client: this.#generated.Client as WasmClientConstructor, priority: this.#priority };
  }
}

/** The generated class. Throws `not_initialized` before a module is loaded. */
export function wasmClient(): WasmClientConstructor {
  if (current === undefined) throw new CampaignSyncError("not_initialized");
  return current.client;
}
