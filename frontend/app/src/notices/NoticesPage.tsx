/** Everything a member was told, newest first, by day. */
import { useEffect, useState } from "react";
import { useClient, useFeed, useSignal } from "../context";
import { useMinute } from "../inbox/useMinute";
import { memberName } from "../lib/names";
import { dayName, fullTime, shortTime } from "../lib/time";
import { Link } from "../router";
import { Button, Empty, IconButton, Problem, Skeleton, Unseen } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError, showToast } from "../ui/toasts";
import type { Notice } from "./calls";
import { KIND_WORDS, byDay, named, say, target } from "./words";
import "./notices.css";

export function NoticesPage() {
  const { notices } = useClient();
  const state = useSignal(notices.signal);
  const workspace = useFeed((feed) => feed.workspace.name);
  const now = useMinute();
  useEffect(() => {
    notices.show(true);
    return () => notices.show(false);
  }, [notices]);
  useEffect(() => {
    document.title = `Notifications · ${workspace}`;
  }, [workspace]);

  const markAll = (): void => {
    notices.markAllRead().then(
      (undo) => showToast("All marked as read", { action: { label: "Undo", run: () => void undo().catch(showError) } }),
      (error: unknown) => showError(error, markAll),
    );
  };
  return (
    <main className="pane pane-lone notices">
      <div className="notices-page">
        <header className="notices-head">
          <h1>Notifications</h1>
          <span className="segments" role="group" aria-label="Which notifications">
            <button type="button" className="segment" aria-pressed={!state.unreadOnly} onClick={() => notices.filter(false)}>All</button>
            <button type="button" className="segment" aria-pressed={state.unreadOnly} onClick={() => notices.filter(true)}>Unread</button>
          </span>
          <span className="notices-space" />
          <Button icon="check" disabled={state.unread === 0} onClick={markAll}>Mark all as read</Button>
          <Link className="icon-button" to={{ page: "notifications" }} aria-label="Notification settings" title="Notification settings"><Icon name="settings" /></Link>
        </header>
        <Body now={now} />
      </div>
    </main>
  );
}

function Body({ now }: { readonly now: Date }) {
  const { notices } = useClient();
  const { phase, problem, rows, next, unreadOnly } = useSignal(notices.signal);
  const [busy, setBusy] = useState(false);
  if (rows.length === 0) {
    if (phase === "loading") return <Skeleton rows={6} className="skeleton-list" />;
    if (phase === "failed") return <Problem message={problem} onRetry={() => void notices.reload()} />;
    return unreadOnly
      ? <Empty icon="check" title="All read" action={<Button onClick={() => notices.filter(false)}>Show all</Button>}>Nothing here waits for you.</Empty>
      : <Empty icon="bell" title="Nothing yet">You are told here when a conversation becomes yours or a contact of yours writes.</Empty>;
  }
  const more = (): void => {
    setBusy(true);
    notices.more().catch((error: unknown) => showError(error, more)).finally(() => setBusy(false));
  };
  return (
    <>
      {byDay(rows, (iso) => dayName(iso, now)).map((group) => (
        <section key={group.title} aria-label={group.title}>
          <h2 className="notices-day">{group.title}</h2>
          <ul className="notices-list">{group.notices.map((notice) => <Row key={notice.id} notice={notice} now={now} />)}</ul>
        </section>
      ))}
      {next !== null && <Button className="notices-more" busy={busy} onClick={more}>Show older</Button>}
    </>
  );
}

function Row({ notice: told, now }: { readonly notice: Notice; readonly now: Date }) {
  const { notices, feed } = useClient();
  const notice = named(told, feed.get());
  const actor = useFeed((state) => (notice.actor_id === null ? undefined : state.members[notice.actor_id]));
  const to = target(notice);
  const read = (): void => {
    if (!notice.read) notices.markRead([notice.id]).catch(showError);
  };
  const detail = notice.kind === "assigned" && actor !== undefined ? `By ${memberName(actor)}` : notice.preview;
  const text = (
    <>
      <span className="notice-what">{say(notice)}{!notice.read && <Unseen>, unread</Unseen>}</span>
      {detail !== "" && <span className="notice-detail">{detail}</span>}
    </>
  );
  return (
    <li className="notice-row" data-unread={!notice.read || undefined}>
      <span className="notice-mark"><Icon name={KIND_WORDS[notice.kind]?.icon ?? "info"} size={16} /></span>
      {to === null ? <span className="notice-text">{text}</span> : <Link to={to} className="notice-text" onClick={read}>{text}</Link>}
      <time className="notice-time" dateTime={notice.at} title={fullTime(notice.at)}>{shortTime(notice.at, now)}</time>
      <IconButton icon={notice.read ? "mail" : "check"} label={notice.read ? "Mark as unread" : "Mark as read"}
        onClick={() => (notice.read ? notices.markUnread([notice.id]).catch(showError) : read())} />
    </li>
  );
}
