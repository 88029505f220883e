/** The addresses of the app: parsed into a route, written from a route, and a link that stays in the page. */
import { useSyncExternalStore } from "react";
import type { AnchorHTMLAttributes, MouseEvent } from "react";
import type { Uuid } from "./types.gen";

export const TABS = ["open", "snoozed", "closed"] as const;
export const FILTERS = ["all", "mine", "unassigned"] as const;
export type Tab = (typeof TABS)[number];
export type Filter = (typeof FILTERS)[number];

/** Pages that a one-time link opens; its token stays behind the #, where no server and no log sees it. */
export const LINK_PAGES = ["setup", "join", "reset", "verify", "invitation"] as const;
export type LinkPage = (typeof LINK_PAGES)[number];

export type Route =
  | { readonly page: "inbox"; readonly tab: Tab; readonly filter: Filter; readonly conversation: Uuid | null }
  | { readonly page: "channels"; readonly connect: string | null; readonly account: Uuid | null }
  | { readonly page: "members" | "dead-letters" }
  | { readonly page: "welcome" | "sign-in" | "sign-up" | "forgot" | "missing" }
  | { readonly page: LinkPage; readonly token: string };

export type SettingsRoute = Extract<Route, { page: "channels" | "members" | "dead-letters" }>;

export const isSettings = (route: Route): route is SettingsRoute => route.page === "channels" || route.page === "members" || route.page === "dead-letters";

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
    if (second === "members" || second === "dead-letters") return { page: second };
  }
  if (second !== "") return { page: "missing" };
  const link = LINK_PAGES.find((one) => one === first);
  if (link !== undefined) return { page: link, token: hash.slice(1) };
  return first === "welcome" || first === "sign-in" || first === "sign-up" || first === "forgot" ? { page: first } : { page: "missing" };
}

/** Writes the address of a route; defaults are left out. */
export function toPath(route: Route): string {
  switch (route.page) {
    case "inbox": {
      const path = route.conversation === null ? "/" : `/c/${encodeURIComponent(route.conversation)}`;
      return path + toSearch({ tab: route.tab === "open" ? null : route.tab, filter: route.filter === "all" ? null : route.filter });
    }
    case "channels": return `/settings/channels${toSearch({ connect: route.connect, account: route.account })}`;
    case "members": case "dead-letters": return `/settings/${route.page}`;
    case "setup": case "join": case "reset": case "verify": case "invitation": return `/${route.page}#${route.token}`;
    case "missing": return "/";
    default: return `/${route.page}`;
  }
}

export const INBOX: Route = { page: "inbox", tab: "open", filter: "all", conversation: null };
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
  if (path === window.location.pathname + window.location.search + window.location.hash) return;
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

function toSearch(values: Readonly<Record<string, string | null>>): string {
  const pairs = Object.entries(values).filter((pair): pair is [string, string] => pair[1] !== null);
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs).toString()}`;
}
