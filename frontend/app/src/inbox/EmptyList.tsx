/** What an empty view says, and what to do next. */
import { useFeed } from "../context";
import { CHANNELS, Link } from "../router";
import { may } from "../sync/state";
import { Empty } from "../ui/basics";
import type { InboxRoute } from "./InboxPage";

export function EmptyList({ route }: { readonly route: InboxRoute }) {
  const connected = useFeed((state) => Object.values(state.channelAccounts).some((account) => account.status !== "removed"));
  const counts = useFeed((state) => state.counts);
  const mayConnect = useFeed((state) => may(state, "channels.manage"));
  if (!connected) {
    return (
      <Empty icon="plug" title="No channel is connected yet"
        action={mayConnect ? <Link to={CHANNELS} className="button button-primary">Connect a channel</Link> : undefined}>
        {mayConnect ? "Connect e-mail, live chat or SMS and messages arrive here by themselves." : "An owner or admin connects channels in Settings."}
      </Empty>
    );
  }
  if (route.filter === "mine" && counts.open > 0) {
    return (
      <Empty icon="check" title="Nothing waits on you"
        action={<Link to={{ ...route, filter: "unassigned" }} className="button button-quiet">Show unassigned</Link>}>
        Take one of the unassigned conversations, or ask who needs a hand.
      </Empty>
    );
  }
  if (route.tab === "snoozed") return <Empty icon="snooze" title="Nothing is snoozed">Press <kbd className="kbd">S</kbd> on a conversation to get it back when you need it.</Empty>;
  if (route.tab === "closed") return <Empty icon="check" title="Nothing is closed yet">Press <kbd className="kbd">E</kbd> on a conversation when it is done.</Empty>;
  if (route.filter === "unassigned") return <Empty icon="check" title="Everything has an owner">Conversations nobody has taken show up here.</Empty>;
  return <Empty icon="check" title="All done">New messages appear here by themselves, no reload needed.</Empty>;
}
