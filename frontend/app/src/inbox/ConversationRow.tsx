/** One row of the list. */
import { memo } from "react";
import { channelName, contactName, memberName } from "../lib/names";
import { useClient, useFeed, useManifest, useSignal } from "../context";
import { fullTime, shortTime, untilTime } from "../lib/time";
import { Link } from "../router";
import { isUnread } from "../sync/state";
import type { Conversation } from "../types.gen";
import { Avatar, ChannelIcon, Unseen } from "../ui/basics";
import { Icon } from "../ui/icons";
import type { InboxRoute } from "./InboxPage";
import { useMinute } from "./useMinute";

interface RowProps {
  readonly row: Conversation;
  readonly route: InboxRoute;
}

export const ConversationRow = memo(function ConversationRow({ row, route }: RowProps) {
  const contact = useFeed((state) => state.contacts[row.contact_id]);
  const unread = useFeed((state) => isUnread(state, row));
  const assignee = useFeed((state) => (row.assignee_id === null ? undefined : state.members[row.assignee_id]));
  const manifest = useManifest(row.channel);
  const now = useMinute();
  const name = contactName(contact);
  const chosen = route.conversation === row.id;
  return (
    <Link to={{ ...route, conversation: row.id }} className={unread ? "row row-unread" : "row"} aria-current={chosen ? "true" : undefined} draggable={false}>
      <Avatar id={row.contact_id} name={contact?.name ?? ""} picture={contact?.avatar} badge={<ChannelIcon channel={manifest} size={10} />} />
      <span className="row-name">{name}{unread && <Unseen>, unread</Unseen>}<Unseen>, {channelName(manifest, row.channel)}</Unseen></span>
      <time className="row-time" dateTime={row.last_activity_at} title={fullTime(row.last_activity_at)}>{shortTime(row.last_activity_at, now)}</time>
      <span className="row-text">
        {row.subject !== "" && <span className="row-subject">{row.subject} · </span>}
        {row.preview_author_kind === "member" && <span className="row-you"><Icon name="reply" size={12} /><Unseen>Our side: </Unseen></span>}
        <Typist conversationId={row.id} preview={row.preview} />
      </span>
      <span className="row-side">
        {row.status === "snoozed" && row.snoozed_until !== null && (
          <span className="row-state" title={`Snoozed until ${fullTime(row.snoozed_until)}`}><Icon name="snooze" size={12} />{untilTime(row.snoozed_until, now)}</span>
        )}
        {row.status !== route.tab && row.status === "closed" && <span className="row-state"><Icon name="check" size={12} />Closed</span>}
        {row.status === "pending" && <span className="row-state">Pending</span>}
        {row.assignee_id !== null && (
          <span title={`Assigned to ${memberName(assignee)}`}>
            <Avatar id={row.assignee_id} name={memberName(assignee)} picture={assignee?.avatar} size="s" /><Unseen>, assigned to {memberName(assignee)}</Unseen>
          </span>
        )}
      </span>
    </Link>
  );
});

function Typist({ conversationId, preview }: { readonly conversationId: string; readonly preview: string }) {
  const { company } = useClient();
  const typing = useSignal(company).typing[conversationId]?.some((typist) => typist.member_id === null) ?? false;
  return typing ? <span className="row-typing">typing…</span> : <>{preview}</>;
}
