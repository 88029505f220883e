/** The messages: opens at the first unread one, sticks to the end only when it is there, loads history upwards. */
import { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "react";
import { useClient, useFeed, useSignal } from "../context";
import { CallCard } from "../calls/CallCard";
import { dayName } from "../lib/time";
import { plural } from "../lib/text";
import { readSeq } from "../sync/state";
import type { Conversation } from "../types.gen";
import { Problem, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { EventLine } from "./EventLine";
import { MessageBubble, OutgoingBubble } from "./MessageBubble";
import { TypingLine } from "./TypingLine";
import { newestSeq, threadItems } from "./thread";
import type { Item } from "./thread";
import { useMinute } from "./useMinute";

const END_PX = 48;
const HISTORY_PX = 240;
/** Where each thread was left, as the distance from its end; null: at the end. */
const positions = new Map<string, number>();

export function Thread({ conversation }: { readonly conversation: Conversation }) {
  const { id } = conversation;
  const client = useClient();
  const page = useSignal(client.pages.threads)[id];
  const { items, newest, messageCount } = useItems(conversation);
  const scroller = useRef<HTMLDivElement>(null);
  const { missed, atEnd, toEnd, onScroll } = useScroll(id, scroller, items, messageCount, page?.next !== undefined);

  const loadOlder = useCallback(() => void client.pages.moreMessages(id), [client, id]);
  useEffect(() => {
    if (page === undefined) loadOlder();
  }, [page, loadOlder]);
  useReading(conversation, newest, atEnd && page?.next !== undefined);

  const scrolled = (): void => {
    onScroll();
    const element = scroller.current;
    if (element !== null && element.scrollTop < HISTORY_PX && page?.phase === "ready" && page.next != null) loadOlder();
  };
  return (
    <div className="thread-body">
      {/* Scrollable by keyboard, hence the tab stop. */}
      {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
      <div className="thread-scroll" ref={scroller} onScroll={scrolled} tabIndex={0} role="log" aria-label="Messages" aria-live="polite">
        {page?.phase === "loading" && <Skeleton rows={page.next === undefined ? 4 : 1} className="skeleton-thread" />}
        {page?.phase === "failed" && <Problem message={page.problem} onRetry={loadOlder} />}
        {page?.next === null && <p className="thread-start">The conversation starts here</p>}
        <div className="thread-items">
          {items.map((item) => <ItemView key={item.key} item={item} conversation={conversation} newest={newest} />)}
          <TypingLine conversation={conversation} />
        </div>
      </div>
      {missed > 0 && (
        <button type="button" className="news-pill news-below" onClick={toEnd}>{plural(missed, "new message")} <Icon name="arrowDown" size={13} /></button>
      )}
      {missed === 0 && !atEnd && (
        <button type="button" className="jump" onClick={toEnd} aria-label="To the newest message" title="To the newest message"><Icon name="arrowDown" size={16} /></button>
      )}
    </div>
  );
}

function useItems({ id }: Conversation) {
  const client = useClient();
  const messages = useFeed((state) => state.messages[id]);
  const lines = useFeed((state) => state.lines[id]);
  const entries = useSignal(client.outbox);
  const [readSeqAtOpening] = useState(() => readSeqNow(client.feed.get(), id));
  const outgoing = useMemo(() => entries.filter((entry) => entry.conversation_id === id), [entries, id]);
  const items = useMemo(
    () => threadItems({ messages, lines, outgoing, readSeqAtOpening }),
    [messages, lines, outgoing, readSeqAtOpening],
  );
  return { items, newest: newestSeq(messages), messageCount: Object.keys(messages ?? {}).length };
}

const readSeqNow = (state: Parameters<typeof readSeq>[0] | null, id: string): number => (state === null ? 0 : readSeq(state, id));

function ItemView({ item, conversation, newest }: { readonly item: Item; readonly conversation: Conversation; readonly newest: number }) {
  const now = useMinute();
  switch (item.kind) {
    case "day": return <div className="thread-day"><span>{dayName(item.at, now)}</span></div>;
    case "unread": return <div className="thread-unread-mark" id="first-unread"><span>New</span></div>;
    case "line": return <EventLine line={item.line} />;
    case "message": return item.message.kind === "call" ? <CallCard message={item.message} parts={item.parts} conversation={conversation} /> : <MessageBubble message={item.message} grouped={item.grouped} conversation={conversation} />;
    case "outgoing": return <OutgoingBubble entry={item.entry} newest={newest} />;
  }
}

/** While the end is on screen and the member looks, what came is read. */
function useReading(conversation: Conversation, newest: number, seen: boolean): void {
  const client = useClient();
  const read = useFeed((state) => readSeq(state, conversation.id));
  const { id, last_inbound_seq } = conversation;
  const [looking, setLooking] = useState(() => document.visibilityState === "visible" && document.hasFocus());
  useEffect(() => {
    const update = (): void => setLooking(document.visibilityState === "visible" && document.hasFocus());
    const names = ["focus", "blur"] as const;
    for (const name of names) window.addEventListener(name, update);
    document.addEventListener("visibilitychange", update);
    return () => {
      for (const name of names) window.removeEventListener(name, update);
      document.removeEventListener("visibilitychange", update);
    };
  }, []);
  useEffect(() => {
    if (seen && looking && last_inbound_seq > read && newest >= last_inbound_seq) client.read(id, newest);
  }, [client, id, seen, looking, last_inbound_seq, read, newest]);
}

function useScroll(id: string, scroller: React.RefObject<HTMLDivElement | null>, items: readonly Item[], messageCount: number, loaded: boolean) {
  const [atEnd, setAtEnd] = useState(true);
  const [seenCount, setSeenCount] = useState(0);
  const opened = useRef(false);
  const before = useRef({ fromEnd: 0, firstKey: "" });

  const measure = useCallback(() => {
    const element = scroller.current;
    if (element === null) return;
    const fromEnd = element.scrollHeight - element.scrollTop - element.clientHeight;
    before.current = { ...before.current, fromEnd };
    const end = fromEnd < END_PX;
    setAtEnd(end);
    if (opened.current) {
      if (end) positions.delete(id);
      else positions.set(id, fromEnd);
    }
  }, [id, scroller]);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (element === null || items.length === 0) return;
    const firstKey = firstMessageKey(items);
    const prepended = opened.current && firstKey !== before.current.firstKey;
    const keepFromEnd = (px: number): void => element.scrollTo({ top: element.scrollHeight - element.clientHeight - px, behavior: "instant" });
    if (!opened.current && loaded) {
      opened.current = true;
      const mark = element.querySelector("#first-unread");
      const left = positions.get(id);
      if (left !== undefined) keepFromEnd(left);
      // Not scrollIntoView: it would move the page's own scrollers too.
      else if (mark !== null) element.scrollTo({ top: element.scrollTop + mark.getBoundingClientRect().top - element.getBoundingClientRect().top - 8, behavior: "instant" });
      else keepFromEnd(0);
      setSeenCount(messageCount);
    } else if (prepended) {
      keepFromEnd(before.current.fromEnd);
      setSeenCount(messageCount);
    } else if (before.current.fromEnd < END_PX || items.at(-1)?.kind === "outgoing") keepFromEnd(0);
    before.current.firstKey = firstKey;
    measure();
  }, [id, items, loaded, messageCount, measure, scroller]);

  useEffect(() => {
    if (atEnd) setSeenCount(messageCount);
  }, [atEnd, messageCount]);

  // The composer grows, the window turns: stay at the end when we were there.
  useEffect(() => {
    const element = scroller.current;
    if (element === null || typeof ResizeObserver === "undefined") return;
    const observer = new ResizeObserver(() => {
      if (before.current.fromEnd < END_PX) element.scrollTo({ top: element.scrollHeight, behavior: "instant" });
    });
    observer.observe(element);
    if (element.lastElementChild !== null) observer.observe(element.lastElementChild);
    return () => observer.disconnect();
  }, [scroller]);

  const toEnd = useCallback(() => scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior: "smooth" }), [scroller]);
  return { atEnd, missed: atEnd || !opened.current ? 0 : Math.max(0, messageCount - seenCount), toEnd, onScroll: measure };
}

function firstMessageKey(items: readonly Item[]): string {
  return items.find((item) => item.kind === "message")?.key ?? "";
}
