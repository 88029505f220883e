/** The middle pane: who it is, what to do with it, the messages, the composer. */
import { useEffect, useState } from "react";
import { useClient, useFeed, useManifest, useSignal } from "../context";
import { CallButton } from "../calls/CallButton";
import { contactName, memberName } from "../lib/names";
import { untilTime } from "../lib/time";
import { Link } from "../router";
import { may } from "../sync/state";
import type { Conversation, Uuid } from "../types.gen";
import { Avatar, Button, ChannelIcon, Empty, IconButton, Kbd, Problem, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { AssignMenu } from "./AssignMenu";
import { Composer } from "./Composer";
import type { InboxRoute } from "./InboxPage";
import { SnoozeMenu } from "./SnoozeMenu";
import { Thread } from "./Thread";
import { useActions } from "./useActions";
import { useMinute } from "./useMinute";

export type ThreadMenu = "assign" | "snooze";

interface ThreadPaneProps {
  readonly id: Uuid;
  readonly route: InboxRoute;
  readonly menu: ThreadMenu | null;
  readonly onMenu: (menu: ThreadMenu, open: boolean) => void;
  readonly onContact: () => void;
}

export function ThreadPane(props: ThreadPaneProps) {
  const { id, route } = props;
  const client = useClient();
  const held = useFeed((state) => state.conversations[id]);
  const gone = useFeed((state) => state.removed[id] !== undefined);
  const pending = useSignal(client.pending)[id];
  const [problem, setProblem] = useState("");
  const missing = held === undefined && !gone && problem === "";

  useEffect(() => {
    client.viewing(id);
    return () => client.viewing(null);
  }, [client, id]);

  useEffect(() => {
    if (!missing) return;
    client.pages.conversation(id).catch((error: unknown) => setProblem(error instanceof Error ? error.message : "It could not be loaded."));
  }, [client, id, missing]);

  const back = <Link to={{ ...route, conversation: null }} className="icon-button thread-back" aria-label="Back to the list"><Icon name="back" /></Link>;
  if (held === undefined) {
    return (
      <section className="pane pane-thread" aria-label="Thread">
        <header className="pane-head">{back}</header>
        {gone ? <Empty icon="info" title="This conversation moved to an inbox you do not see" />
          : problem !== "" ? <Problem message={problem} onRetry={() => setProblem("")} /> : <Skeleton rows={4} className="skeleton-thread" />}
      </section>
    );
  }
  const conversation = pending === undefined ? held : { ...held, ...pending };
  return (
    <section className="pane pane-thread" aria-label="Thread">
      <ThreadHead {...props} conversation={conversation} back={back} />
      <Thread conversation={conversation} />
      <Composer conversation={conversation} />
    </section>
  );
}

function ThreadHead({ conversation, route, menu, onMenu, onContact, back }: ThreadPaneProps & { readonly conversation: Conversation; readonly back: React.ReactNode }) {
  const actions = useActions(route);
  const contact = useFeed((state) => state.contacts[conversation.contact_id]);
  const account = useFeed((state) => state.channelAccounts[conversation.channel_account_id]);
  const mayReply = useFeed((state) => may(state, "inbox.reply"));
  const mayAssign = useFeed((state) => may(state, "inbox.assign"));
  const manifest = useManifest(conversation.channel);
  const { id, status } = conversation;
  const closed = status === "closed";
  return (
    <header className="pane-head thread-head">
      {back}
      <div className="thread-who">
        <h1>{conversation.subject || contactName(contact)}</h1>
        <span className="thread-tags">
        <span className="tag thread-channel"><ChannelIcon channel={manifest} size={13} /><span>{account?.name ?? manifest?.name ?? conversation.channel}</span></span>
        <StatusTag conversation={conversation} />
        </span>
      </div>
      <Viewers conversationId={id} />
      <div className="thread-acts">
        <AssignMenu conversation={conversation} open={menu === "assign"} onOpen={(open) => onMenu("assign", open)} disabled={!mayAssign}
          onAssign={(member) => actions.assign(id, member)} />
        <SnoozeMenu conversation={conversation} open={menu === "snooze"} onOpen={(open) => onMenu("snooze", open)} disabled={!mayReply}
          onSnooze={(until) => actions.snooze(id, until)} onUnsnooze={() => actions.unsnooze(id)} />
        {manifest?.capabilities.call === true && mayReply && <CallButton conversation={conversation} />}
        <IconButton icon="mail" label="Mark unread (U)" className="thread-unread" onClick={() => actions.markUnread(id)} />
        <Button look={closed ? "quiet" : "primary"} icon={closed ? "refresh" : "check"} disabled={!mayReply} aria-label={closed ? "Reopen" : "Close"}
          className="thread-close" onClick={() => actions.toggleClosed(id)}>
          <span className="act-text">{closed ? "Reopen" : "Close"} <Kbd>E</Kbd></span>
        </Button>
        <IconButton icon="info" label="Contact" className="thread-contact" onClick={onContact} />
      </div>
    </header>
  );
}

function StatusTag({ conversation: { status, snoozed_until } }: { readonly conversation: Conversation }) {
  const now = useMinute();
  if (status === "closed") return <span className="tag tag-faint">Closed</span>;
  if (status === "pending") return <span className="tag tag-faint">Pending</span>;
  if (status !== "snoozed") return null;
  return <span className="tag tag-warn">Snoozed{snoozed_until === null ? "" : ` until ${untilTime(snoozed_until, now)}`}</span>;
}

function Viewers({ conversationId }: { readonly conversationId: Uuid }) {
  const { company } = useClient();
  const viewing = useSignal(company).viewing[conversationId];
  const members = useFeed((state) => state.members);
  const me = useFeed((state) => state.me.id);
  const others = (viewing ?? []).filter((id) => id !== me);
  if (others.length === 0) return null;
  const names = others.map((id) => memberName(members[id])).join(", ");
  return (
    <span className="viewers" role="status" title={`${names} ${others.length === 1 ? "is" : "are"} viewing`}>
      <Icon name="eye" size={14} />
      {others.slice(0, 3).map((id) => <Avatar key={id} id={id} name={memberName(members[id])} picture={members[id]?.avatar} size="s" />)}
      <span className="viewers-text">{others.length === 1 ? `${names.split(" ")[0]} is viewing` : `${others.length} viewing`}</span>
    </span>
  );
}
