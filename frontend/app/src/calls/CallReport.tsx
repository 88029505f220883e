/** What telephone calls came to: a span of days, by member and by day, and as a file. */
import { useCallback, useState } from "react";
import { query } from "../api";
import { useClient } from "../context";
import { dayKey, timeZone } from "../lib/time";
import { useLoad } from "../operator/useLoad";
import { PageHead } from "../people/parts";
import type { CallFigures, CallReportView } from "../types.gen";
import { Empty, Problem, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { lengthText } from "./words";
import "../operator/operator.css";
import "./report.css";

const DAY_MS = 86_400_000;
const SPANS = [7, 30, 90] as const;

const lastDays = (days: number, now_ms: number): Span => ({ since: dayKey(new Date(now_ms - (days - 1) * DAY_MS).toISOString()), until: dayKey(new Date(now_ms).toISOString()) });

interface Span {
  readonly since: string;
  readonly until: string;
}

export function CallReport({ now_ms = Date.now() }: { readonly now_ms?: number }) {
  const { workspaceId, api } = useClient();
  const [span, setSpan] = useState<Span>(() => lastDays(30, now_ms));
  const read = useCallback(() => api.callReport(span, timeZone()), [api, span]);
  const { value, problem, load } = useLoad(read);
  const file = `/api/v1/workspaces/${workspaceId}/reports/calls${query({ ...span, time_zone: timeZone(), format: "csv" })}`;
  return (
    <div className="settings-page">
      <PageHead title="Calls" action={<a className="button button-quiet" href={file} download><Icon name="download" size={16} />Save as CSV</a>}>
        Telephone calls of the inboxes you see, by days of {timeZone()}.
      </PageHead>
      <form className="report-span" aria-label="Days" onSubmit={(event) => event.preventDefault()}>
        <label>From <input className="input" type="date" value={span.since} max={span.until} onChange={(event) => event.target.value !== "" && setSpan({ ...span, since: event.target.value })} /></label>
        <label>To <input className="input" type="date" value={span.until} min={span.since} onChange={(event) => event.target.value !== "" && setSpan({ ...span, until: event.target.value })} /></label>
        {SPANS.map((days) => {
          const wanted = lastDays(days, now_ms);
          const chosen = wanted.since === span.since && wanted.until === span.until;
          return <button key={days} type="button" className="button button-quiet" aria-pressed={chosen} onClick={() => setSpan(wanted)}>{days} days</button>;
        })}
      </form>
      {problem !== "" && <Problem message={problem} onRetry={load} />}
      {value === null ? problem === "" && <Skeleton rows={5} className="operator-list" /> : <Report report={value} />}
    </div>
  );
}

function Report({ report }: { readonly report: CallReportView }) {
  if (report.rows.length === 0) return <Empty icon="callIn" title="No calls in these days">Calls appear here once they are over.</Empty>;
  const { answered, missed, made, reached, wait_s, talk_s } = report.total;
  const tiles = [
    ["Answered", `${answered} of ${answered + missed}`],
    ["Waited, on average", wait_s === null ? "–" : lengthText(wait_s)],
    ["Called, reached", `${reached} of ${made}`],
    ["Talked", lengthText(talk_s)],
  ] as const;
  return (
    <div className="usage-parts">
      <dl className="report-tiles">{tiles.map(([name, figure]) => <div key={name}><dt>{name}</dt><dd>{figure}</dd></div>)}</dl>
      <Figures caption="By member" first="Member" rows={report.by_member.map((row) => [row.member || "Nobody", row.figures])} />
      <Figures caption="By day" first="Day" rows={report.by_day.map((row) => [row.day, row.figures])} />
    </div>
  );
}

function Figures({ caption, first, rows }: { readonly caption: string; readonly first: string; readonly rows: readonly (readonly [string, CallFigures])[] }) {
  return (
    <div className="usage-scroll">
      <table className="usage-table report-table">
        <caption>{caption}</caption>
        <thead><tr>{[first, "Answered", "Missed", "Made", "Reached", "Waited", "Longest", "Talked"].map((name) => <th key={name} scope="col">{name}</th>)}</tr></thead>
        <tbody>
          {rows.map(([name, one]) => (
            <tr key={name}><th scope="row">{name}</th><td>{one.answered}</td><td>{one.missed}</td><td>{one.made}</td><td>{one.reached}</td>
              <td>{length(one.wait_s)}</td><td>{length(one.longest_wait_s)}</td><td>{one.talk_s === 0 ? "–" : lengthText(one.talk_s)}</td></tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

const length = (seconds: number | null): string => (seconds === null ? "–" : lengthText(seconds));
