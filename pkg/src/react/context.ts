/** The client that the hooks of a tree use. */
import { createContext, createElement, useContext, useEffect, useLayoutEffect, useMemo, useRef, useState, version, type Context, type DependencyList, type EffectCallback, type ReactElement, type ReactNode } from "react";
import { checked, withMethods } from "../check.js";
import { CampaignSyncError, describe } from "../errors.js";
import { report } from "../frame.js";
import type { CampaignActions, CampaignSyncLike } from "../like.js";
import { platform } from "../platform.js";
import { NEVER, type Subscribe } from "./store.js";
import { shared } from "../shared.js";
import type { ErrorCode } from "../words.js";

/** The value of the context: all that the hooks take from the provider. */
export interface Provided {
  /** The client; `undefined` until it was created, and on a server. */
  readonly sync: CampaignSyncLike | undefined;
  /** Why the client could not be created. */
  readonly code?: ErrorCode;
  readonly actions: CampaignActions | undefined;
}

/** The properties that both forms of the provider have. */
export interface ProviderProps {
  /** Performs what `useCampaignAction` runs. */
  actions?: CampaignActions;
  /** The components that use the hooks. */
  children?: ReactNode;
}

/** The properties of a provider with a client of the application. */
export interface ClientProviderProps extends ProviderProps {
  /** A client. The application connects and closes it. */
  sync: CampaignSyncLike;
  /** Not with `sync`. */
  create?: undefined;
}

/** The properties of a provider that creates its client. */
export interface CreatingProviderProps extends ProviderProps {
  /**
   * Creates a client when the provider mounts. The provider connects it, and closes it when it unmounts. Only the
   * function of the first render is called: give the provider another `key` for another client.
   */
  create: () => CampaignSyncLike | Promise<CampaignSyncLike>;
  /** Not with `create`. */
  sync?: undefined;
}

/** The properties of `CampaignSyncProvider`: either `sync` or `create`. */
export type CampaignSyncProviderProps = ClientProviderProps | CreatingProviderProps;

/** One context for all copies of the package on a page. The versions of React have different ones. */
function context(): Context<Provided | undefined> {
  return shared(`react ${version}`, () => createContext<Provided | undefined>(undefined));
}

/**
 * Gives a client to the hooks below it. On a server, and until `create` has a client, the hooks return empty views. If
 * `create` fails, they return views with the status `failed` and the code. Throws `invalid_argument` for other
 * properties.
 */
export function CampaignSyncProvider({ sync, create, actions, children }: CampaignSyncProviderProps): ReactElement {
  if ((sync === undefined) === (create === undefined)) throw wrong("either `sync` or `create`");
  if (sync !== undefined) assertMethods(sync, CLIENT, A_CLIENT);
  else if (typeof create !== "function") throw wrong("a function as `create`");
  if (actions !== undefined) assertMethods(actions, ["act", "allowedActions"], "`actions` with these methods: act, allowedActions");
  const created = useCreated(create);
  const value = useMemo(() => ({ ...(sync === undefined ? created : { sync }), actions }), [sync, created, actions]);
  return createElement(context().Provider, { value }, children);
}

const CLIENT = ["campaign", "view", "connect", "close", "addEventListener", "removeEventListener"];
const A_CLIENT = "a client, such as a `CampaignSync`, as `sync`, or by `create`";

function wrong(expected: string, cause?: unknown): CampaignSyncError {
  return new CampaignSyncError("invalid_argument", { cause, message: `Give <CampaignSyncProvider> ${expected}.` });
}

function assertMethods(value: unknown, names: readonly string[], expected: string): void {
  try {
    checked("", value, withMethods(...names));
  } catch (cause) {
    throw wrong(expected, cause);
  }
}

const NONE: Omit<Provided, "actions"> = { sync: undefined };

function useCreated(create: (() => CampaignSyncLike | Promise<CampaignSyncLike>) | undefined): Omit<Provided, "actions"> {
  const first = useRef(create);
  const [created, setCreated] = useState(NONE);
  useEffect(() => {
    const make = first.current;
    if (make === undefined) return undefined;
    let sync: CampaignSyncLike | undefined;
    let unmounted = false;
    // A later task, because StrictMode unmounts and mounts at once, which needs no socket.
    void Promise.resolve().then(async () => {
      if (unmounted) return;
      try {
        const own = await make();
        assertMethods(own, CLIENT, A_CLIENT);
        if (unmounted) return own.close();
        sync = own;
        own.connect();
        setCreated({ sync });
      } catch (error) {
        report(error);
        if (!unmounted) setCreated({ sync: undefined, code: asFailure(error).code });
      }
    });
    return () => {
      unmounted = true;
      sync?.close();
      // React may keep the state, and mount the provider again: when an `Activity` is shown, or after a hot replacement.
      setCreated(NONE);
    };
  }, []);
  return created;
}

/** Returns what the provider gives. Throws `not_configured` without a provider. */
export function useProvided(): Provided {
  const provided = useContext(context());
  if (provided === undefined) {
    throw new CampaignSyncError("not_configured", { message: "Render the component inside a <CampaignSyncProvider>." });
  }
  return provided;
}

/** Returns the client; `undefined` until it was created, and on a server. Throws `not_configured` without a provider. */
export function useCampaignSync(): CampaignSyncLike | undefined {
  return useProvided().sync;
}

/** Runs an effect before the browser paints. React 18 warns of layout effects on a server. */
export function usePaintEffect(effect: EffectCallback, dependencies?: DependencyList): void {
  const use = platform.document === undefined ? useEffect : useLayoutEffect;
  use(effect, dependencies);
}

/** A handle that a component holds, or the code for which it has none. */
export interface Held<H> {
  readonly handle?: H;
  readonly code?: ErrorCode;
  /** Listens to the handle; to nothing without one. */
  readonly subscribe: Subscribe;
}

/** A handle as the hooks need it. */
interface Handle {
  subscribe(listener: () => void): () => void;
  release(): void;
}

/**
 * Holds a handle while the component is mounted, from before the first paint on. A campaign that the client still
 * follows then shows at once. `open` depends on the client and `key` alone; a `key` of `undefined` holds nothing.
 */
export function useHeld<H extends Handle>(key: string | undefined, open: (sync: CampaignSyncLike, key: string) => H): Held<H> {
  const { sync, code } = useProvided();
  const [state, setState] = useState<{ sync: CampaignSyncLike; key: string; held: Held<H> } | undefined>(undefined);
  usePaintEffect(() => {
    if (sync === undefined || key === undefined) return undefined;
    let released = false;
    const { handle, code } = attempt(() => open(sync, key));
    // StrictMode releases the first handle before React subscribes to it. The second handle follows at once.
    const subscribe: Subscribe = (listener) => (handle === undefined || released ? NEVER(listener) : handle.subscribe(listener));
    setState({ sync, key, held: { ...(handle && { handle }), ...(code && { code }), subscribe } });
    return () => {
      released = true;
      handle?.release();
    };
  }, [sync, key]);
  const none = useMemo(() => ({ ...(code && { code }), subscribe: NEVER }), [code]);
  return state !== undefined && state.sync === sync && state.key === key ? state.held : none;
}

function attempt<H>(open: () => H): Pick<Held<H>, "handle" | "code"> {
  try {
    return { handle: open() };
  } catch (error) {
    return { code: asFailure(error).code };
  }
}

/** Returns a `CampaignSyncError` as it is, and any other error as the cause of one. */
export function asFailure(error: unknown, code: ErrorCode = "internal"): CampaignSyncError {
  return error instanceof CampaignSyncError ? error : new CampaignSyncError(code, { cause: error, message: describe(error) });
}
