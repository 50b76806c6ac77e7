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
let current: { readonly client: WasmClientConstructor; readonly speaks: number } | undefined;

/** Loads one module, once. */
export class Loader {
  readonly #generated: Generated;
  readonly #speaks: number;
  #loading: Promise<void> | undefined;
  #ready = false;

  /** @param speaks how many dialects the module speaks: of two that are loaded, the more able one is used. */
  constructor(generated: Generated, speaks: number) {
    this.#generated = generated;
    this.#speaks = speaks;
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
    if (current !== undefined && current.speaks > this.#speaks) return;
    current = { client: this.#generated.Client as WasmClientConstructor, speaks: this.#speaks };
  }
}

/** The generated class. Throws `not_initialized` before a module is loaded. */
export function wasmClient(): WasmClientConstructor {
  if (current === undefined) throw new CampaignSyncError("not_initialized");
  return current.client;
}
