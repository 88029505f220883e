/** The second column: views of the inbox, the channels' health, who is online. */
import { useMemo } from "react";
import { channelName, memberName } from "../lib/names";
import { useClient, useFeed, useSignal, useSignedIn } from "../context";
import { FILTERS, Link } from "../router";
import type { Filter, Route } from "../router";
import type { ChannelAccount } from "../types.gen";
import { Avatar, ChannelIcon, Unseen } from "../ui/basics";
import { Icon } from "../ui/icons";
import { ConnectionPill } from "./ConnectionPill";
import { selectRows, tabCount, withPending } from "./list";
import { accountState } from "../settings/status";

export const FILTER_NAMES: Readonly<Record<Filter, string>> = { all: "All", mine: "Mine", unassigned: "Unassigned" };

export function Nav({ route }: { readonly route: Extract<Route, { page: "inbox" }> }) {
  const workspace = useFeed((state) => state.workspace);
  const counts = useFilterCounts(route.tab);
  return (
    <nav className="nav" aria-label="Views">
      <div className="nav-head"><strong className="nav-workspace">{workspace.name}</strong></div>
      <h2 className="nav-title">Inbox</h2>
      {FILTERS.map((filter) => (
        <Link key={filter} className="nav-link" to={{ ...route, filter, conversation: null }} aria-current={route.filter === filter ? "true" : undefined}>
          <span>{FILTER_NAMES[filter]}</span>
          {counts[filter] !== null && <span className="nav-count">{counts[filter]}<Unseen> conversations</Unseen></span>}
        </Link>
      ))}
      <ChannelLinks />
      <OnlineMembers />
      <div className="nav-foot"><ConnectionPill /></div>
    </nav>
  );
}

/** Counts of the filters; null where not every row is held and a number would be a guess. */
function useFilterCounts(tab: "open" | "snoozed" | "closed"): Readonly<Record<Filter, number | null>> {
  const client = useClient();
  const counts = useFeed((state) => state.counts);
  const conversations = useFeed((state) => state.conversations);
  const pending = useSignal(client.pending);
  const me = useFeed((state) => state.me.id);
  return useMemo(() => {
    const rows = withPending(conversations, pending);
    const of = (filter: Filter): number => selectRows(rows, { tab, filter, me, floor: null }).length;
    const all = tabCount(counts, tab);
    const complete = of("all") >= all;
    return { all, mine: complete ? of("mine") : null, unassigned: complete ? of("unassigned") : null };
  }, [counts, conversations, pending, me, tab]);
}

function ChannelLinks() {
  const { manifests } = useSignedIn();
  const accounts = useFeed((state) => state.channelAccounts);
  const shown = Object.values(accounts).filter((account) => account.status !== "removed");
  return (
    <>
      <h2 className="nav-title">Channels</h2>
      {shown.map((account) => <ChannelLink key={account.id} account={account} manifest={manifests.find((one) => one.id === account.channel)} />)}
      <Link className="nav-link nav-faint" to={{ page: "channels", connect: null, account: null }}><span><Icon name="plus" size={15} />Connect a channel</span></Link>
    </>
  );
}

function ChannelLink({ account, manifest }: { readonly account: ChannelAccount; readonly manifest: Parameters<typeof channelName>[0] }) {
  const state = accountState(account);
  return (
    <Link className="nav-link" to={{ page: "channels", connect: null, account: account.id }} title={`${account.name} (${channelName(manifest, account.channel)}): ${state.label}`}>
      <span><ChannelIcon channel={manifest} size={15} /><span className="nav-name">{account.name}</span>{account.demo && <span className="nav-demo">Demo</span>}</span>
      <span className={`state-dot state-${state.tone}`}><Unseen>{state.label}</Unseen></span>
    </Link>
  );
}

function OnlineMembers() {
  const { company } = useClient();
  const { online } = useSignal(company);
  const members = useFeed((state) => state.members);
  const me = useFeed((state) => state.me.id);
  if (online === null) return null; // unknown is not "nobody"
  const others = online.filter((id) => id !== me && members[id] !== undefined);
  if (others.length === 0) return null;
  return (
    <>
      <h2 className="nav-title">Online</h2>
      <ul className="nav-people">
        {others.map((id) => (
          <li key={id}><Avatar id={id} name={memberName(members[id])} picture={members[id]?.avatar} size="s" /><span className="nav-name">{memberName(members[id])}</span></li>
        ))}
      </ul>
    </>
  );
}
