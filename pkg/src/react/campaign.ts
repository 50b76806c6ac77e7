/** Hooks of views: of one campaign, of the list of campaigns and of the connection; and of events. */
import { useCallback, useEffect, useInsertionEffect, useMemo, useRef, useSyncExternalStore } from "react";
import { checked, checkedMembers, DURATION, FUNCTION, type Rule, type Rules } from "../check.js";
import { IDLE, type ConnectionStatus } from "../connection.js";
import { emptyView } from "../empty.js";
import { CampaignSyncError } from "../errors.js";
import type { CampaignSyncEvent, CampaignSyncEventType } from "../event-types.js";
import type { CampaignLike, CampaignListLike, CampaignSyncLike } from "../like.js";
import { useHeld, useProvided, type Held } from "./context.js";
import { isEqual, keyOf, throttled, useSelected, type Subscribe } from "./store.js";
import type { CampaignView, CatalogueView } from "../types.js";
import type { ErrorCode } from "../words.js";

/** The options of `useCampaign`. */
export interface UseCampaignOptions<T = CampaignView> {
  /** Renders again at most once in this many milliseconds; 0 if absent, which is once per animation frame. */
  throttleMs?: number;
  /** Whether two selections are equal, so that the component need not render again. If absent, their content is compared. */
  equal?: (a: T, b: T) => boolean;
}

/** The options of `useCampaigns`. */
export interface UseCampaignsOptions {
  /** Only these campaigns; all if absent. */
  ids?: readonly string[];
  /** Renders again at most once in this many milliseconds; 0 if absent, which is once per animation frame. */
  throttleMs?: number;
}

const ID = /^[A-Za-z0-9_-]{1,64}$/;

const openCampaign = (sync: CampaignSyncLike, campaignId: string): CampaignLike => sync.campaign(campaignId);

/** A campaign that a component holds. */
export interface HeldCampaign extends Held<CampaignLike> {
  /** Reads the view; an empty one without a handle. */
  readonly read: () => CampaignView;
  readonly readOnServer: () => CampaignView;
}

/** Holds a campaign while the component is mounted. An invalid id gives a view with the code `invalid_campaign_id`. */
export function useHeldCampaign(campaignId: string | null | undefined): HeldCampaign {
  const { sync } = useProvided();
  const isValid = typeof campaignId === "string" && ID.test(campaignId);
  const { handle, code, subscribe } = useHeld(isValid ? campaignId : undefined, openCampaign);
  return useMemo(() => {
    const id = typeof campaignId === "string" ? campaignId : "";
    const refusal: ErrorCode | undefined = isValid || campaignId == null ? code : "invalid_campaign_id";
    const [empty, onServer] = [emptyView(id, refusal), emptyView(id, isValid ? undefined : refusal)];
    const shown = isValid && refusal === undefined;
    return {
      ...(handle && { handle }),
      ...(refusal && { code: refusal }),
      subscribe,
      // Another component may hold the campaign already.
      read: () => handle?.view() ?? ((shown && sync?.view(id)) || empty),
      readOnServer: () => onServer,
    };
  }, [sync, campaignId, isValid, handle, code, subscribe]);
}

const OPTIONS: Rules<UseCampaignOptions> = { throttleMs: DURATION, equal: FUNCTION };

const whole = <T,>(view: CampaignView): T => view as T;

/**
 * Follows a campaign while the component is mounted, and returns its view, or the part that `select` returns. The
 * component renders again only if that part changed. `null` follows nothing. An invalid id gives a view with the status
 * `failed` and a code, and no exception.
 *
 * Throws `not_configured` without a provider, and `invalid_argument` if `select` is not a function, and for invalid options.
 */
export function useCampaign<T = CampaignView>(
  campaignId: string | null | undefined,
  select: (view: CampaignView) => T = whole,
  options: UseCampaignOptions<T> = {},
): T {
  checked("select", select, FUNCTION);
  const { throttleMs = 0, equal = isEqual } = checkedMembers<UseCampaignOptions<T>>("options", options, OPTIONS);
  const { subscribe, read, readOnServer } = useHeldCampaign(campaignId);
  const slowly = useMemo(() => throttled(subscribe, throttleMs), [subscribe, throttleMs]);
  return useSelected(slowly, read, readOnServer, select, equal);
}

const NO_LIST: CatalogueView = Object.freeze({ status: "idle", campaigns: Object.freeze([]), total: 0 });

const LIST_OPTIONS: Rules<UseCampaignsOptions> = { ids: [() => true, "a list of texts"], throttleMs: DURATION };

function openList(sync: CampaignSyncLike, key: string): CampaignListLike {
  if (typeof sync.campaigns !== "function") throw new CampaignSyncError("not_configured", { message: "Give the provider a client with `campaigns()`." });
  return sync.campaigns(key === "" ? {} : { ids: JSON.parse(key) as string[] });
}

/**
 * Follows the list of the campaigns that the session may see, without their rows. A client that has no list gives one
 * with the status `failed` and the code `not_configured`; invalid `ids` give one with `invalid_argument`.
 *
 * Throws `not_configured` without a provider, and `invalid_argument` for other invalid options.
 */
export function useCampaigns(options: UseCampaignsOptions = {}): CatalogueView {
  const { ids, throttleMs = 0 } = checkedMembers("options", options, LIST_OPTIONS);
  const held = useHeld(ids === undefined ? "" : keyOf(ids), openList);
  const { handle, code } = held;
  const empty = useMemo((): CatalogueView => (code === undefined ? NO_LIST : { ...NO_LIST, status: "failed", code }), [code]);
  const subscribe = useMemo(() => throttled(held.subscribe, throttleMs), [held.subscribe, throttleMs]);
  return useSyncExternalStore(subscribe, () => handle?.view() ?? empty, () => NO_LIST);
}

/** Returns the state of the connection. Throws `not_configured` without a provider. */
export function useConnection(): ConnectionStatus {
  const { sync, code } = useProvided();
  const without = useMemo((): ConnectionStatus => (code === undefined ? IDLE : { state: "failed", attempt: 0, code }), [code]);
  const subscribe = useCallback<Subscribe>(
    (listener) => {
      sync?.addEventListener("connectionchange", listener);
      return () => sync?.removeEventListener("connectionchange", listener);
    },
    [sync],
  );
  return useSyncExternalStore(subscribe, () => sync?.connection ?? without, () => IDLE);
}

/** All types of events. */
const TYPES: Readonly<Record<CampaignSyncEventType, true>> = {
  phasetransition: true, phasestatuschange: true, transitionrefused: true, gap: true, recoveryrequested: true, recovered: true, corrupt: true,
  duplicate: true, divergence: true, unknownkey: true, rejected: true, consistency: true, repaired: true, unconfirmed: true,
  cacheinvalidated: true, statuschange: true, connectionchange: true, notification: true, ended: true,
};

const TYPE: Rule = [(it) => typeof it === "string" && Object.hasOwn(TYPES, it), "a type of `CampaignSyncEventMap`"];

/**
 * Calls `listener` for each event of this type while the component is mounted. It may be another function in each
 * render. Throws `not_configured` without a provider, and `invalid_argument` for a type that no client dispatches and a
 * listener that is not a function.
 */
export function useSyncEvent<K extends CampaignSyncEventType>(type: K, listener: (event: CampaignSyncEvent<K>) => void): void {
  const { sync } = useProvided();
  checked("type", type, TYPE);
  checked("listener", listener, FUNCTION);
  const latest = useRef(listener);
  useInsertionEffect(() => {
    latest.current = listener;
  });
  useEffect(() => {
    const call = (event: Event): void => latest.current(event as CampaignSyncEvent<K>);
    sync?.addEventListener(type, call);
    return () => sync?.removeEventListener(type, call);
  }, [sync, type]);
}
