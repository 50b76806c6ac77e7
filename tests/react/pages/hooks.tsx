/** The page of the hooks' tests. Tests choose what it renders, and read what the components saw. */
import { Component, memo, startTransition, StrictMode, useState, type ReactNode } from "react";
import { createRoot, hydrateRoot, type Root } from "react-dom/client";
import { flushSync } from "react-dom";
import { CampaignSync, init, type CampaignView, type DomainRow } from "campaign-sync";
import * as hooks from "campaign-sync/react";
import { FakeSync, row } from "./fake.js";

const { CampaignSyncProvider, useCampaign, useCampaignAction, useCampaigns, useConnection, useDomains, useSyncEvent } = hooks;

/** The values that the components rendered, by the name of the component: one for each render. */
const seen: Record<string, unknown[]> = {};
function saw<T>(name: string, value: T): T {
  (seen[name] ??= []).push(value);
  return value;
}

/** Shows a part of a view. */
function Part({ id, name, select, throttleMs = 0 }: { id: string | null; name: string; select?: (view: CampaignView) => unknown; throttleMs?: number }) {
  const part = useCampaign(id, select, { throttleMs });
  return <p id={name}>{JSON.stringify(saw(name, part))}</p>;
}

const Row = memo(function Row({ row }: { row: DomainRow }) {
  saw(`row ${row.domainId}`, row);
  return <li>{`${row.domain} ${row.dnsStatus}`}</li>;
});

/** Shows a window of rows, as a virtual list does. */
function Table({ id, first, count, search }: { id: string; first: number; count: number; search?: string }) {
  const list = useDomains(id, search === undefined ? {} : { search });
  const shown = Array.from({ length: count }, (_, at) => list.row(first + at)).filter((it) => it !== undefined);
  saw("table", { total: list.total, code: list.code, pending: list.pending, rows: shown.map((it) => it.domain), list });
  return <ul id="table">{shown.map((it) => <Row key={it.domainId} row={it} />)}</ul>;
}

function Connection() {
  return <p id="connection">{saw("connection", useConnection()).state}</p>;
}

function List() {
  return <p id="list">{saw("list", useCampaigns()).campaigns.length}</p>;
}

function Event({ word }: { word: string }) {
  useSyncEvent("gap", ({ detail }) => saw("event", [word, detail.expected]));
  return null;
}

function Action({ id }: { id: string }) {
  const action = useCampaignAction(id);
  saw("action", { ...action, error: action.error && [action.error.code, action.error.message] });
  stage.run = action.run;
  return <p id="pending">{action.pending}</p>;
}

/** Takes long to render, so that a transition yields in the middle of the tree. */
function Slow({ id, name }: { id: string; name: string }) {
  const count = useCampaign(id, (view) => view.domainsCount);
  const { total } = useDomains(id);
  const end = performance.now() + 4;
  while (performance.now() < end);
  return <i data-slow={name}>{`${count}/${total}`}</i>;
}

function Torn({ id }: { id: string }) {
  const [shown, show] = useState(false);
  stage.show = () => startTransition(() => show(true));
  return shown ? <div id="torn">{Array.from({ length: 30 }, (_, at) => <Slow key={at} id={id} name={String(at)} />)}</div> : null;
}

class Boundary extends Component<{ children: ReactNode }, { code?: string }> {
  override state: { code?: string } = {};
  static getDerivedStateFromError(error: { code?: string }) {
    return { code: error.code ?? String(error) };
  }
  override render() {
    return this.state.code === undefined ? this.props.children : <p id="thrown">{this.state.code}</p>;
  }
}

let root: Root | undefined;
const element = document.getElementById("root")!;
const elements: Record<string, (props: never) => ReactNode> = { Part, Table, Connection, List, Event, Action, Torn };

interface Options {
  strict?: boolean;
  sync?: hooks.CampaignSyncLike;
  create?: () => hooks.CampaignSyncLike | Promise<hooks.CampaignSyncLike>;
  actions?: hooks.CampaignActions;
  bare?: boolean;
  providerKey?: string;
}

/** Renders elements, each given as its name and its properties. */
function tree(list: readonly (readonly [string, object])[], { strict = false, bare = false, sync, create, actions, providerKey }: Options) {
  const children = list.map(([name, props], at) => {
    const Type = elements[name] as (props: object) => ReactNode;
    return <Type key={`${at} ${name}`} {...props} />;
  });
  const source = create === undefined ? { sync: sync ?? stage.fake } : { create };
  const inside = <Boundary>{bare ? children : <CampaignSyncProvider key={providerKey} {...source} {...(actions && { actions })}>{children}</CampaignSyncProvider>}</Boundary>;
  return strict ? <StrictMode>{inside}</StrictMode> : inside;
}

const stage = {
  hooks,
  seen,
  row,
  CampaignSync,
  init,
  flushSync,
  fake: new FakeSync(),
  run: undefined as ((action: string) => Promise<boolean>) | undefined,
  show: () => {},
  /** Renders at once, effects included. */
  render(list: readonly (readonly [string, object])[], options: Options = {}) {
    const own = (root ??= createRoot(element));
    flushSync(() => own.render(tree(list, options)));
  },
  hydrate(html: string, list: readonly (readonly [string, object])[], options: Options = {}) {
    element.innerHTML = html;
    root = hydrateRoot(element, tree(list, options), { onRecoverableError: (error) => saw("mismatch", String(error)) });
  },
  unmount() {
    root?.unmount();
    root = undefined;
  },
  reset() {
    for (const name of Object.keys(seen)) delete seen[name];
  },
  /** Waits until React has done its work: two frames and the tasks after them. */
  async settled() {
    for (let frames = 0; frames < 2; frames += 1) await new Promise((resolve) => requestAnimationFrame(resolve));
    await new Promise((resolve) => setTimeout(resolve));
  },
};

declare global {
  var stage: unknown;
}
globalThis.stage = stage;
