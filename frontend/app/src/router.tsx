/** The addresses of the app: parsed into a route, written from a route, and a link that stays in the page. */
import { useSyncExternalStore } from "react";
import type { AnchorHTMLAttributes, MouseEvent } from "react";
import type { Uuid } from "./types.gen";

export const TABS = ["open", "snoozed", "closed"] as const;
export const FILTERS = ["all", "mine", "unassigned"] as const;
export type Tab = (typeof TABS)[number];
export type Filter = (typeof FILTERS)[number];

/** Pages that a one-time link opens; its token stays behind the #, where no server and no log sees it. */
export const LINK_PAGES = ["setup", "join", "reset", "verify", "invitation", "change-address", "stop-address-change"] as const;
export type LinkPage = (typeof LINK_PAGES)[number];

/** Pages of the settings that need nothing but their name. */
export const SETTINGS_PAGES = ["members", "roles", "teams", "access", "workspace", "privacy", "keys", "calls", "usage", "dead-letters", "notifications"] as const;
export type SettingsPage = (typeof SETTINGS_PAGES)[number];
/** Other pages that need nothing but their name. */
export const PLAIN_PAGES = ["home", "notices", "welcome", "sign-in", "sign-up", "forgot"] as const;
export type PlainPage = (typeof PLAIN_PAGES)[number];
export const ACCOUNT_SECTIONS = ["profile", "security", "sessions"] as const;
export type AccountSection = (typeof ACCOUNT_SECTIONS)[number];

export type Route =
  | { readonly page: "inbox"; readonly tab: Tab; readonly filter: Filter; readonly conversation: Uuid | null }
  | { readonly page: "channels"; readonly connect: string | null; readonly account: Uuid | null }
  | { readonly page: "account"; readonly section: AccountSection }
  | { readonly page: "operator"; readonly workspace: number | null }
  | ({ readonly page: "audit" } & AuditSearch)
  | { readonly page: SettingsPage }
  | { readonly page: PlainPage | "missing" }
  | { readonly page: LinkPage; readonly token: string };

/** What the audit log is narrowed to; days are the member's own. */
export interface AuditSearch {
  readonly actor: string | null;
  readonly action: string | null;
  readonly kind: string | null;
  readonly row: string | null;
  readonly since: string | null;
  readonly until: string | null;
}

export type SettingsRoute = Extract<Route, { page: "channels" | "audit" | SettingsPage }>;

const isOneOf = <Name extends string>(names: readonly Name[], name: string): name is Name => names.some((one) => one === name);

export const isSettings = (route: Route): route is SettingsRoute => route.page === "channels" || route.page === "audit" || isOneOf(SETTINGS_PAGES, route.page);

interface Address {
  readonly pathname: string;
  readonly search: string;
  readonly hash: string;
}

const pick = <Value extends string>(value: string | null, allowed: readonly Value[], otherwise: Value): Value =>
  allowed.find((one) => one === value) ?? otherwise;

/** Reads an address; what nobody knows is the page "missing". */
export function parseRoute({ pathname, search, hash }: Address): Route {
  const [first = "", second = "", third = "", ...rest] = pathname.split("/").filter((part) => part !== "").map(decodeURIComponent);
  if (rest.length > 0) return { page: "missing" };
  const parameters = new URLSearchParams(search);
  const inbox = (conversation: Uuid | null): Route => ({
    page: "inbox", conversation,
    tab: pick(parameters.get("tab"), TABS, "open"),
    filter: pick(parameters.get("filter"), FILTERS, "all"),
  });
  if (first === "") return inbox(null);
  if (first === "c" && second !== "" && third === "") return inbox(second);
  if (first === "settings" && third === "") {
    if (second === "" || second === "channels") return { page: "channels", connect: parameters.get("connect"), account: parameters.get("account") };
    if (second === "audit") return { page: "audit", ...auditSearch(parameters) };
    if (isOneOf(SETTINGS_PAGES, second)) return { page: second };
  }
  if (first === "account" && third === "" && pick(second, ACCOUNT_SECTIONS, "profile") === (second || "profile")) return { page: "account", section: pick(second, ACCOUNT_SECTIONS, "profile") };
  if (first === "operator" && third === "" && /^[0-9]*$/.test(second)) return { page: "operator", workspace: second === "" ? null : Number(second) };
  if (second !== "") return { page: "missing" };
  if (isOneOf(LINK_PAGES, first)) return { page: first, token: hash.slice(1) };
  return isOneOf(PLAIN_PAGES, first) ? { page: first } : { page: "missing" };
}

/** Writes the address of a route; defaults are left out. */
export function toPath(route: Route): string {
  switch (route.page) {
    case "inbox": {
      const path = route.conversation === null ? "/" : `/c/${encodeURIComponent(route.conversation)}`;
      return path + toSearch({ tab: route.tab === "open" ? null : route.tab, filter: route.filter === "all" ? null : route.filter });
    }
    case "channels": return `/settings/channels${toSearch({ connect: route.connect, account: route.account })}`;
    case "audit": return `/settings/audit${toSearch({ actor: route.actor, action: route.action, kind: route.kind, row: route.row, since: route.since, until: route.until })}`;
    case "account": return `/account/${route.section}`;
    case "operator": return route.workspace === null ? "/operator" : `/operator/${route.workspace}`;
    case "missing": return "/";
    default: return isOneOf(SETTINGS_PAGES, route.page) ? `/settings/${route.page}` : `/${route.page}${"token" in route ? `#${route.token}` : ""}`;
  }
}

export const INBOX: Route = { page: "inbox", tab: "open", filter: "all", conversation: null };
export const ACCOUNT: Route = { page: "account", section: "profile" };
export const CHANNELS: Route = { page: "channels", connect: null, account: null };

let current: Route = parseRoute(window.location);
const listeners = new Set<() => void>();

function refresh(): void {
  current = parseRoute(window.location);
  for (const listener of listeners) listener();
}

window.addEventListener("popstate", refresh);
window.addEventListener("hashchange", refresh);

/** Goes to a route; `replace` leaves no step to come back to. */
export function navigate(route: Route, { replace = false } = {}): void {
  const path = toPath(route);
  const here = window.location.pathname + window.location.search;
  // On the sign-in page the part behind the # is what an issuer sent back: whoever is there stays with it.
  if (path === here + window.location.hash || (path === "/sign-in" && here === path)) return;
  window.history[replace ? "replaceState" : "pushState"](null, "", path);
  refresh();
}

export const currentRoute = (): Route => current;

export function useRoute(): Route {
  return useSyncExternalStore(subscribe, currentRoute);
}

type LinkProps = Omit<AnchorHTMLAttributes<HTMLAnchorElement>, "href"> & { readonly to: Route };

/** A real link (opens in a new tab on Mod+click) that otherwise stays in the page. */
export function Link({ to, onClick, children, ...rest }: LinkProps) {
  const follow = (event: MouseEvent<HTMLAnchorElement>): void => {
    onClick?.(event);
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    event.preventDefault();
    navigate(to);
  };
  return <a {...rest} href={toPath(to)} onClick={follow}>{children}</a>;
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function auditSearch(parameters: URLSearchParams): AuditSearch {
  const [actor = null, action = null, kind = null, row = null, since = null, until = null] = ["actor", "action", "kind", "row", "since", "until"].map((name) => parameters.get(name) || null);
  return { actor, action, kind, row, since, until };
}

function toSearch(values: Readonly<Record<string, string | null>>): string {
  const pairs = Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== null);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs).toString()}`;
}
