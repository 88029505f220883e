/** What this workspace uses, against what it may. */
import { useCallback } from "react";
import { useClient, useFeed } from "../context";
import { bytes } from "../operator/bytes";
import { useLoad } from "../operator/useLoad";
import { PageHead } from "../people/parts";
import { may } from "../sync/state";
import { Problem, Skeleton } from "../ui/basics";
import { Stays } from "./Stays";
import { readUsage } from "./calls";
import "../operator/operator.css";

export function Usage() {
  const { workspaceId } = useClient();
  const mayReadLog = useFeed((state) => may(state, "audit.read"));
  const read = useCallback(() => readUsage(workspaceId), [workspaceId]);
  const { value, problem, load } = useLoad(read);
  const plain = (count: number): string => count.toLocaleString();
  const rows = value === null ? [] : [
    ["Members", value.members, value.limits.members, plain],
    ["Channel accounts", value.channel_accounts, value.limits.channel_accounts, plain],
    ["Files", value.storage_bytes, value.limits.storage_bytes, bytes],
    ["Open sockets", value.sockets, value.limits.sockets, plain],
    ["Messages sent today", value.messages_sent_today, value.limits.messages_per_day, plain],
  ] as const;
  return (
    <div className="settings-page">
      <PageHead title="Usage">What this workspace uses, and what the installation lets it use.</PageHead>
      <div className="usage-parts">
        {problem !== "" && <Problem message={problem} onRetry={load} />}
        {value === null && problem === "" && <Skeleton rows={5} className="operator-list" />}
        <ul className="operator-list">
          {rows.map(([name, used, most, write]) => (
            <li key={name} className="operator-row"><strong>{name}</strong>
              <span className="operator-figures">{write(used)} {most === null ? "· no limit" : `of ${write(most)}`}</span></li>
          ))}
        </ul>
        {value !== null && (
          <div className="usage-scroll"><table className="usage-table">
            <thead><tr><th scope="col">Day (UTC)</th><th scope="col">In</th><th scope="col">Out</th><th scope="col">API calls</th><th scope="col">Most sockets</th></tr></thead>
            <tbody>
              {value.days.toReversed().map((one) => (
                <tr key={one.day}><th scope="row">{one.day}</th><td>{plain(one.messages_in)}</td><td>{plain(one.messages_out)}</td><td>{plain(one.api_calls)}</td><td>{plain(one.most_sockets)}</td></tr>
              ))}
            </tbody>
          </table></div>
        )}
        {mayReadLog && <Stays />}
      </div>
    </div>
  );
}
