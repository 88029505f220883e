/** What happened to the conversation beside its messages, as one grey sentence. */
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import { clockTime, fullTime, untilTime } from "../lib/time";
import type { Line, State } from "../sync/state";
import { useMinute } from "./useMinute";

function sentence(line: Line, { members, inboxes, me }: Pick<State, "members" | "inboxes" | "me">, now: Date): string {
  const name = (id: string): string => (id === me.id ? "you" : memberName(members[id]));
  const byMe = line.actor_id === me.id;
  const actor = line.actor_id === null ? null : byMe ? "You" : memberName(members[line.actor_id]);
  switch (line.type) {
    case "conversation_assigned":
      if (line.assignee_id === null) return actor === null ? "Unassigned" : `${actor} unassigned this`;
      if (actor === null) return `Assigned to ${name(line.assignee_id)}`;
      if (line.assignee_id === line.actor_id) return `${actor} took this`;
      return `${actor} assigned this to ${name(line.assignee_id)}`;
    case "conversation_closed": return actor === null ? "Closed" : `${actor} closed this`;
    case "conversation_reopened": return actor === null ? "Reopened" : `${actor} reopened this`;
    case "conversation_snoozed": {
      const until = line.snoozed_until === null ? "" : ` until ${untilTime(line.snoozed_until, now)}`;
      return actor === null ? `Snoozed${until}` : `${actor} snoozed this${until}`;
    }
    case "conversation_moved": {
      const inbox = inboxes[line.inbox_id]?.name ?? "another inbox";
      return actor === null ? `Moved to ${inbox}` : `${actor} moved this to ${inbox}`;
    }
  }
}

export function EventLine({ line }: { readonly line: Line }) {
  const members = useFeed((state) => state.members);
  const inboxes = useFeed((state) => state.inboxes);
  const me = useFeed((state) => state.me);
  const now = useMinute();
  return (
    <p className="thread-line">
      {sentence(line, { members, inboxes, me }, now)}
      {line.at !== null && <time dateTime={line.at} title={fullTime(line.at)}> · {clockTime(line.at)}</time>}
    </p>
  );
}
