/** The list pane: tabs with counts, the virtual list, the pill for what arrived while the order is held. */
import { useCallback, useEffect, useMemo, useState } from "react";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useClient, useFeed, useSignal } from "../context";
import { FILTERS, Link, TABS, navigate } from "../router";
import type { Tab } from "../router";
import { viewKey } from "../sync/pages";
import type { Conversation } from "../types.gen";
import { Problem, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, useMenu } from "../ui/menu";
import { ConnectionPill } from "./ConnectionPill";
import { ConversationRow } from "./ConversationRow";
import type { InboxRoute } from "./InboxPage";
import { FILTER_NAMES } from "./Nav";
import { EmptyList } from "./EmptyList";
import { freeze, holdOrder, selectRows, tabCount, toView, withPending } from "./list";
import type { Frozen } from "./list";

const ROW_PX = 72;
const OVERSCAN = 8;
const POINTING_MS = 4_000;
const TAB_NAMES: Readonly<Record<Tab, string>> = { open: "Open", snoozed: "Snoozed", closed: "Closed" };

export function ConversationList({ route }: { readonly route: InboxRoute }) {
  // State rather than a ref: the rows inside need it as soon as it is there.
  const [scroller, setScroller] = useState<HTMLDivElement | null>(null);
  const { all, fresh, page, complete, loadMore } = useView(route);
  const held = useHeldOrder(scroller, all, fresh, `${route.tab}/${route.filter}`);
  const loading = page?.phase === "loading";
  return (
    <section className="pane pane-list" aria-label="Conversations">
      <ListHead route={route} />
      <div className="list-body">
        {held.waiting > 0 && (
          <button type="button" className="news-pill" onClick={held.release}>{held.waiting} new <Icon name="arrowUp" size={13} /></button>
        )}
        <div className="list-scroll" ref={setScroller}>
          {held.rows.length > 0 && <Rows rows={held.rows} route={route} scroller={scroller} onEnd={complete ? null : loadMore} />}
          {held.rows.length === 0 && loading && <Skeleton rows={7} className="skeleton-list" />}
          {held.rows.length === 0 && !loading && complete && <EmptyList route={route} />}
          {held.rows.length > 0 && loading && <Skeleton rows={1} className="skeleton-list" />}
          {page?.phase === "failed" && <Problem message={page.problem} onRetry={loadMore} />}
        </div>
      </div>
    </section>
  );
}

function ListHead({ route }: { readonly route: InboxRoute }) {
  const counts = useFeed((state) => state.counts);
  const menu = useMenu();
  return (
    <header className="list-head">
      <div className="list-title">
        <h1>{FILTER_NAMES[route.filter]}</h1>
        <span className="list-filter">
          <Menu label="Which conversations" {...menu} align="start" buttonClass="button button-ghost" button={<>{FILTER_NAMES[route.filter]}<Icon name="down" size={14} /></>}>
            {FILTERS.map((filter) => (
              <MenuItem key={filter} checked={filter === route.filter} onSelect={() => navigate({ ...route, filter, conversation: null })}>
                {FILTER_NAMES[filter]}
              </MenuItem>
            ))}
          </Menu>
        </span>
        <span className="list-pill"><ConnectionPill /></span>
      </div>
      <nav className="tabs" aria-label="Status">
        {TABS.map((tab) => (
          <Link key={tab} className="tab" to={{ ...route, tab, conversation: null }} aria-current={tab === route.tab ? "true" : undefined}>
            {TAB_NAMES[tab]}
            <span className="tab-count">{tabCount(counts, tab).toLocaleString()}</span>
          </Link>
        ))}
      </nav>
    </header>
  );
}

/** The rows of the view on screen, and how to get those not fetched yet. */
function useView(route: InboxRoute) {
  const client = useClient();
  const conversations = useFeed((state) => state.conversations);
  const counts = useFeed((state) => state.counts);
  const me = useFeed((state) => state.me.id);
  const pending = useSignal(client.pending);
  const pages = useSignal(client.pages.views);
  const { tab, filter } = route;
  const view = useMemo(() => toView(tab, filter), [tab, filter]);
  const page = pages[viewKey(view)];

  const all = useMemo(() => withPending(conversations, pending), [conversations, pending]);
  const floor = page?.next != null ? page.floor : null;
  const fresh = useMemo(() => selectRows(all, { tab, filter, me, floor }), [all, tab, filter, me, floor]);
  const inTab = useMemo(() => selectRows(all, { tab, filter: "all", me, floor: null }).length, [all, tab, me]);
  const complete = page?.next === null || (page === undefined && inTab >= tabCount(counts, tab));

  const loadMore = useCallback(() => void client.pages.moreConversations(view), [client, view]);
  // The snapshot brings the newest open ones; any other view has to ask for its first page.
  const needsFirst = !complete && page === undefined && !(tab === "open" && filter === "all");
  useEffect(() => {
    if (needsFirst) loadMore();
  }, [needsFirst, loadMore]);
  return { all, fresh, page, complete, loadMore };
}

interface RowsProps {
  readonly rows: readonly Conversation[];
  readonly route: InboxRoute;
  readonly scroller: HTMLDivElement | null;
  /** Called near the end of the list; null when there is no more. */
  readonly onEnd: (() => void) | null;
}

function Rows({ rows, route, scroller, onEnd }: RowsProps) {
  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller,
    estimateSize: () => ROW_PX,
    overscan: OVERSCAN,
    getItemKey: (index) => rows[index]?.id ?? index,
  });
  const shown = virtual.getVirtualItems();
  const lastShown = shown.at(-1)?.index ?? 0;
  useEffect(() => {
    if (lastShown >= rows.length - OVERSCAN) onEnd?.();
  }, [lastShown, rows.length, onEnd]);

  const chosen = rows.findIndex((row) => row.id === route.conversation);
  useEffect(() => {
    if (chosen !== -1) virtual.scrollToIndex(chosen, { align: "auto" });
    // Only when another row is chosen: rows moving around must not pull the list along.
    // oxlint-disable-next-line react/exhaustive-deps
  }, [route.conversation]);

  return (
    <ul className="rows" style={{ height: virtual.getTotalSize() }}>
      {shown.map(({ index, key, start }) => {
        const row = rows[index];
        return row === undefined ? null : (
          <li key={key} className="row-slot" style={{ transform: `translateY(${start}px)` }} aria-setsize={rows.length} aria-posinset={index + 1}>
            <ConversationRow row={row} route={route} />
          </li>
        );
      })}
    </ul>
  );
}

/** Keeps the order while somebody points or focuses there, or has scrolled: nothing moves from under a finger. */
function useHeldOrder(scroller: HTMLDivElement | null, all: Readonly<Record<string, Conversation>>, fresh: readonly Conversation[], view: string) {
  const client = useClient();
  const acts = useSignal(client.acts);
  const [held, setHeld] = useState(false);
  const [frozen, setFrozen] = useState<{ order: Frozen; key: string } | null>(null);
  const key = `${view}/${acts}`;

  useEffect(() => {
    const element = scroller;
    if (element === null) return;
    let pointing: ReturnType<typeof setTimeout> | null = null;
    const update = (): void => setHeld(pointing !== null || element.scrollTop > ROW_PX / 2 || element.querySelector(":focus-visible") !== null);
    const rest = (): void => {
      if (pointing !== null) clearTimeout(pointing);
      pointing = null;
      update();
    };
    // A pointer left lying on the list for a while is about to do nothing.
    const point = (event: Event): void => {
      if ((event as PointerEvent).pointerType === "touch") return;
      if (pointing !== null) clearTimeout(pointing);
      pointing = setTimeout(rest, POINTING_MS);
      update();
    };
    const listen = (name: string, run: (event: Event) => void): (() => void) => {
      element.addEventListener(name, run, { passive: true });
      return () => element.removeEventListener(name, run);
    };
    const stops = [
      listen("pointermove", point), listen("pointerleave", rest), rest,
      listen("scroll", update), listen("focusin", update), listen("focusout", () => setTimeout(update)),
    ];
    return () => stops.forEach((stop) => stop());
  }, [scroller]);

  // What the member did, or another view, starts a new order; the first frame of holding takes the order on screen.
  let order = frozen?.key === key ? frozen.order : null;
  // Nothing to keep in place in an empty list.
  if (held && (order === null || (order.ids.length === 0 && fresh.length > 0))) {
    order = freeze(fresh);
    setFrozen({ order, key });
  } else if (!held && frozen !== null) setFrozen(null);

  const release = useCallback(() => {
    setFrozen(null);
    scroller?.scrollTo({ top: 0 });
  }, [scroller]);
  if (!held || order === null) return { rows: fresh, waiting: 0, release };
  return { ...holdOrder(order, fresh, all), release };
}
