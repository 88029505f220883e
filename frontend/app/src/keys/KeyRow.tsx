/** One key: whose it is, what it may, until when, when it was used last. */
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import { ago, calendarDay, fullTime } from "../lib/time";
import type { PermissionView } from "../people/calls";
import { Button } from "../ui/basics";
import type { ApiKey } from "./calls";

interface RowProps {
  readonly held: ApiKey;
  readonly words: readonly PermissionView[];
  readonly onRotate: () => void;
  readonly onRevoke: () => void;
}

export function KeyRow({ held, words, onRotate, onRevoke }: RowProps) {
  const members = useFeed((state) => state.members);
  const inboxes = useFeed((state) => state.inboxes);
  const now = new Date();
  const over = held.revoked_at !== null ? `Revoked ${calendarDay(held.revoked_at)}` : held.expires_at !== null && new Date(held.expires_at) <= now ? "Expired" : "";
  const facts = [
    `mh_live_…${held.hint}`,
    held.kind === "workspace" ? `by ${memberName(members[held.member_id])}` : "",
    held.expires_at === null ? "never expires" : `until ${calendarDay(held.expires_at)}`,
    held.last_used_at === null ? "not used yet" : `used ${ago(held.last_used_at, now)}`,
    held.former_until !== null && new Date(held.former_until) > now ? `the one before works until ${fullTime(held.former_until)}` : "",
    held.inbox_ids === null ? "" : `only ${held.inbox_ids.map((id) => inboxes[id]?.name ?? "an inbox").join(", ")}`,
  ];
  return (
    <li className="people-card">
      <div className="people-line">
        <span className="people-words"><strong>{held.name}</strong><span>{facts.filter((one) => one !== "").join(" · ")}</span></span>
        {over !== "" && <span className="tag tag-warn">{over}</span>}
        {held.revoked_at === null && (
          <span className="people-acts">
            <Button icon="refresh" aria-label={`Rotate ${held.name}`} onClick={onRotate}>Rotate</Button>
            <Button look="ghost" icon="trash" className="button-remove" aria-label={`Revoke ${held.name}`} onClick={onRevoke}>Revoke</Button>
          </span>
        )}
      </div>
      <div className="people-tags">
        {held.scopes === null ? <span className="tag tag-faint">Whatever you may</span> : held.scopes.map((scope) => <span key={scope} className="tag tag-faint">{words.find((one) => one.permission === scope)?.name ?? scope}</span>)}
      </div>
    </li>
  );
}
