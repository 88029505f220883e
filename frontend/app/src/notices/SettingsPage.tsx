/** How a member is told of things: kinds and ways, quiet hours, digest, and browsers for push. */
import { useEffect, useId, useState } from "react";
import type { ReactNode } from "react";
import { useClient, useFeed } from "../context";
import { Problem, Skeleton } from "../ui/basics";
import { FieldNote } from "../ui/field";
import { Browsers } from "../push/Browsers";
import { KINDS, WAYS } from "./calls";
import type { Digest, Kind, NoticeSettings, Way } from "./calls";
import { minutesOf, timeOf, zones } from "./times";
import { useSettings } from "./useSettings";
import type { Save } from "./useSettings";
import { KIND_WORDS } from "./words";
import "./settings.css";

const WAY_NAMES: Readonly<Record<Way, string>> = { in_app: "Here", email: "E-mail", push: "Push" };
const DIGESTS: Readonly<Record<Digest, string>> = { hourly: "Every hour", daily: "Once a day", off: "Never" };
const LANGUAGES = [["en", "English"], ["de", "Deutsch"], ["fr", "Français"], ["es", "Español"]] as const;
const EVENING = { quiet_from: 20 * 60, quiet_until: 8 * 60 };

export function SettingsPage() {
  const { workspaceId } = useClient();
  const { settings, failed, refused, save, again } = useSettings(workspaceId);
  const workspace = useFeed((state) => state.workspace.name);

  if (failed !== "") return <Problem message={failed} onRetry={again} />;
  if (settings === null) return <div className="settings-page"><Skeleton rows={6} className="skeleton-list" /></div>;

  const problem = (...fields: string[]): string => (fields.includes(refused.field) ? refused.message : "");
  return (
    <div className="settings-page">
      <header className="settings-head">
        <h1>Notifications</h1>
        <p>How you are told of things in {workspace}. Changes are saved as you make them.</p>
      </header>
      {refused.message !== "" && problem("quiet_from", "quiet_until", "time_zone", "digest_hour", "language") === "" && <p className="form-problem" role="alert">{refused.message}</p>}
      <Ways settings={settings} save={save} />
      <Card title="Quiet hours" about="No pushes and no mails in this time; the list here goes on.">
        <QuietHours settings={settings} save={save} problem={problem("quiet_from", "quiet_until")} />
        <Choice label="Your time zone" value={settings.time_zone} problem={problem("time_zone")}
          options={zones(settings.time_zone).map((zone) => [zone, zone.replaceAll("_", " ")])} onChoose={(time_zone) => save({ time_zone })} />
      </Card>
      <Card title="E-mail" about="One mail with what you have not read, sent only while you are away.">
        <Choice label="How often" value={settings.digest} options={Object.entries(DIGESTS)} onChoose={(digest) => save({ digest: digest as Digest })} />
        {settings.digest === "daily" && (
          <Choice label="At" value={String(settings.digest_hour)} problem={problem("digest_hour")}
            options={Array.from({ length: 24 }, (_, hour) => [String(hour), timeOf(hour * 60)])} onChoose={(hour) => save({ digest_hour: Number(hour) })} />
        )}
        <Choice label="Language of mails and pushes" value={settings.language.slice(0, 2)} problem={problem("language")} options={LANGUAGES} onChoose={(language) => save({ language })} />
      </Card>
      <Card title="Push" about="Told by this device even while no tab of the hub is open.">
        <Check label="Show who wrote and how it begins" help="Otherwise a push says only that something came: nobody reads it over your shoulder." checked={settings.shows_text} onChange={(shows_text) => save({ shows_text })} />
        <Browsers />
      </Card>
    </div>
  );
}

function Ways({ settings, save }: { readonly settings: NoticeSettings; readonly save: Save }) {
  const toggle = (kind: Kind, way: Way): void => {
    const ways = settings.kinds[kind] ?? [];
    save({ kinds: { [kind]: ways.includes(way) ? ways.filter((one) => one !== way) : [...ways, way] } }, "");
  };
  return (
    <table className="ways">
      <thead>
        <tr><th scope="col">What</th>{WAYS.map((way) => <th key={way} scope="col">{WAY_NAMES[way]}</th>)}</tr>
      </thead>
      <tbody>
        {KINDS.filter((kind) => settings.kinds[kind] !== undefined).map((kind) => (
          <tr key={kind}>
            <th scope="row"><strong>{KIND_WORDS[kind].name}</strong><span>{KIND_WORDS[kind].about}</span></th>
            {WAYS.map((way) => (
              <td key={way}>
                <input type="checkbox" className="check" aria-label={`${KIND_WORDS[kind].name}: ${WAY_NAMES[way]}`}
                  checked={settings.kinds[kind]?.includes(way) === true} onChange={() => toggle(kind, way)} />
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function QuietHours({ settings, save, problem }: { readonly settings: NoticeSettings; readonly save: Save; readonly problem: string }) {
  const id = useId();
  const { quiet_from, quiet_until } = settings;
  const on = quiet_from !== null && quiet_until !== null;
  return (
    <>
      <Check label="Keep quiet hours" checked={on} onChange={(wanted) => save(wanted ? EVENING : { quiet_from: null, quiet_until: null })} />
      {on && (
        <div className="quiet">
          <TimeField id={`${id}-from`} label="From" value={quiet_from} onChange={(minute) => save({ quiet_from: minute, quiet_until })} />
          <TimeField id={`${id}-until`} label="Until" value={quiet_until} onChange={(minute) => save({ quiet_from, quiet_until: minute })} />
        </div>
      )}
      <FieldNote id={`${id}-note`} help="" problem={problem} />
    </>
  );
}

interface TimeProps {
  readonly id: string;
  readonly label: string;
  readonly value: number;
  readonly onChange: (minute: number) => void;
}

/** Saved when it is left or Enter is pressed: half a time is none. */
function TimeField({ id, label, value, onChange }: TimeProps) {
  const [text, setText] = useState(timeOf(value));
  useEffect(() => setText(timeOf(value)), [value]);
  const done = (): void => {
    const minute = minutesOf(text);
    if (minute === null) setText(timeOf(value));
    else if (minute !== value) onChange(minute);
  };
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}</label>
      <input id={id} type="time" className="input" value={text} onChange={(event) => setText(event.target.value)} onBlur={done}
        onKeyDown={(event) => event.key === "Enter" && done()} />
    </div>
  );
}

function Card({ title, about, children }: { readonly title: string; readonly about: string; readonly children: ReactNode }) {
  const id = useId();
  return (
    <section className="form-card notify-card" aria-labelledby={id}>
      <header><h2 id={id} className="settings-title">{title}</h2><p>{about}</p></header>
      {children}
    </section>
  );
}

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly (readonly [string, string])[];
  readonly problem?: string;
  readonly onChoose: (value: string) => void;
}

function Choice({ label, value, options, problem = "", onChoose }: ChoiceProps) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}</label>
      <select id={id} className="input" value={value} aria-invalid={problem !== "" || undefined} aria-describedby={`${id}-note`} onChange={(event) => onChoose(event.target.value)}>
        {options.every(([one]) => one !== value) && <option value={value}>{value}</option>}
        {options.map(([one, name]) => <option key={one} value={one}>{name}</option>)}
      </select>
      <FieldNote id={`${id}-note`} help="" problem={problem} />
    </div>
  );
}

interface CheckProps {
  readonly label: string;
  readonly help?: string;
  readonly checked: boolean;
  readonly onChange: (checked: boolean) => void;
}

function Check({ label, help = "", checked, onChange }: CheckProps) {
  const id = useId();
  return (
    <div className="field field-check">
      <input id={id} type="checkbox" className="check" checked={checked} aria-describedby={help === "" ? undefined : `${id}-help`} onChange={(event) => onChange(event.target.checked)} />
      <label htmlFor={id}>{label}</label>
      <FieldNote id={`${id}-help`} help={help} problem="" />
    </div>
  );
}
