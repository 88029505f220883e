/** What needs attention: numbers that lead to it, and the few conversations that need it most. */
import { useEffect } from "react";
import type { ReactNode } from "react";
import { useFeed, useManifest } from "../context";
import { useMinute } from "../inbox/useMinute";
import { memberName } from "../lib/names";
import { ago, fullTime } from "../lib/time";
import { INBOX, Link } from "../router";
import type { Filter, Route } from "../router";
import { may } from "../sync/state";
import { ChannelIcon, Empty, Problem, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import type { IconName } from "../ui/icons";
import type { ChannelRow, FailedRow, Home, WaitingRow } from "./calls";
import { useHome } from "./useHome";
import "./home.css";

const open = (filter: Filter): Route => ({ page: "inbox", tab: "open", filter, conversation: null });
const conversation = (id: string): Route => ({ page: "inbox", tab: "open", filter: "all", conversation: id });

export function HomePage() {
  const { home, problem, reload } = useHome();
  const workspace = useFeed((state) => state.workspace.name);
  useEffect(() => {
    document.title = `Home · ${workspace}`;
  }, [workspace]);
  return (
    <main className="pane pane-lone home">
      <div className="home-page">
        <header className="home-head"><h1>Home</h1><p>What needs attention in {workspace}.</p></header>
        {home === null ? (problem === "" ? <Skeleton rows={6} className="skeleton-list" /> : <Problem message={problem} onRetry={reload} />) : <Shown home={home} />}
      </div>
    </main>
  );
}

function Shown({ home }: { readonly home: Home }) {
  return (
    <>
      <Tiles home={home} />
      <Steps home={home} />
      {home.longest.length > 0 ? (
        <Section title="Waiting longest" more={<Link to={INBOX}>All open</Link>}>
          {home.longest.map((row) => <Waiting key={row.conversation_id} row={row} />)}
        </Section>
      ) : (
        <div className="home-done">
          <Empty icon="check" title="All answered" action={<Link to={INBOX} className="button button-quiet">Go to the inbox</Link>}>
            Nobody waits for an answer. What comes in appears here by itself.
          </Empty>
        </div>
      )}
      {home.failed.length > 0 && (
        <Section title={home.failed_amount > home.failed.length ? `Could not be sent (${home.failed_amount})` : "Could not be sent"}>
          {home.failed.map((row) => <Failed key={row.conversation_id} row={row} />)}
        </Section>
      )}
      {home.channels.length > 0 && (
        <Section title="Channels at rest">{home.channels.map((row) => <Channel key={row.id} row={row} />)}</Section>
      )}
    </>
  );
}

function Tiles({ home }: { readonly home: Home }) {
  const more = home.is_partial ? "+" : "";
  const counted = (amount: number): string => `${amount}${amount > 0 ? more : ""}`;
  return (
    <ul className="tiles" aria-label="Numbers">
      <Tile icon="chat" name="Waiting for an answer" value={counted(home.waiting)} to={INBOX} />
      <Tile icon="person" name="Of these, yours" value={counted(home.mine_waiting)} to={open("mine")} />
      <Tile icon="inbox" name="Unassigned" value={counted(home.unassigned)} to={open("unassigned")} />
      {home.snoozed_due > 0 && <Tile icon="snooze" name="Of your snoozed, back soon" value={String(home.snoozed_due)} to={{ page: "inbox", tab: "snoozed", filter: "mine", conversation: null }} />}
      {home.unreadable !== null && home.unreadable > 0 && <Tile icon="alert" name="Could not be read" value={home.unreadable >= 1000 ? "1000+" : String(home.unreadable)} to={{ page: "dead-letters" }} />}
      {home.invited !== null && home.invited > 0 && <Tile icon="people" name="Invitations open" value={String(home.invited)} to={{ page: "members" }} />}
    </ul>
  );
}

function Tile({ icon, name, value, to }: { readonly icon: IconName; readonly name: string; readonly value: string; readonly to: Route }) {
  return (
    <li>
      <Link to={to} className="tile" aria-label={`${name}: ${value}`}>
        <span className="tile-name"><Icon name={icon} size={16} />{name}</span>
        <span className={value === "0" ? "tile-value tile-none" : "tile-value"}>{value}</span>
      </Link>
    </li>
  );
}

/** Until all three are done; by then the page speaks of customers alone. */
function Steps({ home: { beginnings } }: { readonly home: Home }) {
  if (beginnings === null || (beginnings.channel_connected && beginnings.colleague_invited && beginnings.contact_answered)) return null;
  const steps: readonly (readonly [boolean, string, string, Route])[] = [
    [beginnings.channel_connected, "Connect a channel", "Live chat works in a minute, others need an account.", { page: "channels", connect: null, account: null }],
    [beginnings.colleague_invited, "Invite a colleague", "Share the inbox, and see who answers what.", { page: "members" }],
    [beginnings.contact_answered, "Answer somebody", "Write to yourself on the sample website first.", { page: "welcome" }],
  ];
  return (
    <Section title={`Getting started (${steps.filter(([done]) => done).length} of ${steps.length})`}>
      {steps.map(([done, name, about, to]) => (
        <li key={name} className="home-row" data-done={done || undefined}>
          <span className="home-mark"><Icon name={done ? "check" : "right"} size={16} /></span>
          {done ? <span className="home-text"><strong>{name}</strong><span>Done</span></span> : <Link to={to} className="home-text"><strong>{name}</strong><span>{about}</span></Link>}
        </li>
      ))}
    </Section>
  );
}

function Section({ title, more, children }: { readonly title: string; readonly more?: ReactNode; readonly children: ReactNode }) {
  return (
    <section className="home-section" aria-label={title}>
      <header><h2>{title}</h2>{more}</header>
      <ul>{children}</ul>
    </section>
  );
}

const nameOf = ({ contact_name, contact_id, subject }: WaitingRow | FailedRow): string => contact_name || subject || `Visitor ${contact_id.slice(-4)}`;

function Waiting({ row }: { readonly row: WaitingRow }) {
  const now = useMinute();
  const manifest = useManifest(row.channel);
  const assignee = useFeed((state) => (row.assignee_id === null ? undefined : state.members[row.assignee_id]));
  return (
    <li className="home-row">
      <span className="home-mark"><ChannelIcon channel={manifest} size={16} /></span>
      <Link to={conversation(row.conversation_id)} className="home-text"><strong>{nameOf(row)}</strong><span>{row.preview}</span></Link>
      <span className="home-aside">
        <time dateTime={row.since} title={fullTime(row.since)}>{ago(row.since, now)}</time>
        <span>{assignee === undefined ? "Unassigned" : memberName(assignee)}</span>
      </span>
    </li>
  );
}

function Failed({ row }: { readonly row: FailedRow }) {
  const now = useMinute();
  return (
    <li className="home-row home-bad">
      <span className="home-mark"><Icon name="alert" size={16} /></span>
      <Link to={conversation(row.conversation_id)} className="home-text"><strong>{nameOf(row)}</strong><span>{row.error || "It did not go out."}</span></Link>
      <span className="home-aside"><time dateTime={row.at} title={fullTime(row.at)}>{ago(row.at, now)}</time></span>
    </li>
  );
}

function Channel({ row }: { readonly row: ChannelRow }) {
  const manifest = useManifest(row.channel);
  const manages = useFeed((state) => may(state, "channels.manage"));
  const text = row.status === "paused" ? "Paused: nothing comes in or goes out" : "Must be connected again";
  return (
    <li className={row.status === "paused" ? "home-row" : "home-row home-bad"}>
      <span className="home-mark"><ChannelIcon channel={manifest} size={16} /></span>
      {manages
        ? <Link to={{ page: "channels", connect: null, account: row.id }} className="home-text"><strong>{row.name}</strong><span>{text}</span></Link>
        : <span className="home-text"><strong>{row.name}</strong><span>{text}</span></span>}
    </li>
  );
}
