/** Name, picture, time zone and language. */
import { useId, useRef, useState } from "react";
import { useForm } from "../entry/useForm";
import { FormFoot } from "../entry/FormFoot";
import { setTimeZone as showTimesIn } from "../lib/time";
import { Avatar, Button, Problem, Skeleton } from "../ui/basics";
import { FieldNote, TextField } from "../ui/field";
import { showError, showToast } from "../ui/toasts";
import { ownApi } from "./calls";
import type { Profile } from "./calls";
import { useLoaded } from "./useLoaded";

const LANGUAGES = ["en", "de", "es", "fr", "it", "nl", "pl", "pt"] as const;
const read = async (): Promise<Profile> => (await ownApi.profile()).profile;

export function ProfilePage() {
  const { value, problem, reload, set } = useLoaded(read);
  return (
    <div className="own-page">
      <header className="own-head"><h1>Profile</h1><p>How your team sees you, in every workspace.</p></header>
      {problem !== "" && <Problem message={problem} onRetry={() => void reload()} />}
      {value === null && problem === "" && <Skeleton rows={3} className="own-card" />}
      {value !== null && <Picture profile={value} onChange={set} />}
      {value !== null && <About profile={value} onChange={set} />}
    </div>
  );
}

interface PartProps {
  readonly profile: Profile;
  readonly onChange: (profile: Profile) => void;
}

function Picture({ profile, onChange }: PartProps) {
  const input = useRef<HTMLInputElement>(null);
  const [busy, setBusy] = useState(false);
  const change = async (send: () => Promise<{ profile: Profile }>, told: string): Promise<void> => {
    setBusy(true);
    try {
      onChange((await send()).profile);
      showToast(told);
    } catch (error) {
      showError(error);
    }
    setBusy(false);
  };
  return (
    <section className="own-card own-picture" aria-label="Picture">
      {profile.avatar === "" ? <Avatar id={profile.email} name={profile.name} size="l" /> : <img src={`/avatars/${profile.avatar}`} alt="You" width={52} height={52} />}
      <div className="own-acts">
        <input ref={input} type="file" hidden aria-label="Picture file" accept="image/jpeg,image/png,image/gif,image/webp" onChange={(event) => {
          const file = event.target.files?.[0];
          event.target.value = "";
          if (file !== undefined) void change(() => ownApi.setPicture(file), "Your picture is saved.");
        }} />
        <Button icon="image" busy={busy} onClick={() => input.current?.click()}>{profile.avatar === "" ? "Upload a picture" : "Change the picture"}</Button>
        {profile.avatar !== "" && <Button look="ghost" disabled={busy} onClick={() => void change(ownApi.removePicture, "Your picture is removed.")}>Remove</Button>}
      </div>
    </section>
  );
}

function About({ profile, onChange }: PartProps) {
  const [name, setName] = useState(profile.name);
  const [timeZone, setTimeZone] = useState(profile.time_zone);
  const [locale, setLocale] = useState(profile.locale);
  const form = useForm(["name", "time_zone", "locale"], async () => {
    onChange((await ownApi.changeProfile({ name, time_zone: timeZone, locale })).profile);
    showTimesIn(timeZone);
    showToast("Your profile is saved.");
  });
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const names = new Intl.DisplayNames(undefined, { type: "language" });
  const languages = locale === "" || LANGUAGES.some((one) => one === locale) ? LANGUAGES : [...LANGUAGES, locale];
  return (
    <form className="form own-card" onSubmit={form.onSubmit}>
      <TextField label="Your name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
      <TextField label="E-mail" type="email" value={profile.email} readOnly help="You sign in with this address." />
      <Choice label="Time zone" value={timeZone} problem={form.problemOf("time_zone")} onChange={setTimeZone}
        options={[["", `As this browser (${here})`], ...zones(timeZone).map((one): Option => [one, one.replaceAll("_", " ")])]} />
      <Choice label="Language" value={locale} problem={form.problemOf("locale")} onChange={setLocale} help="Of the mails the hub sends you."
        options={[["", "As this browser"], ...languages.map((one): Option => [one, names.of(one) ?? one])]} />
      <FormFoot form={form} label="Save" />
    </form>
  );
}

/** Those the browser knows, and the one that was chosen elsewhere. */
function zones(chosen: string): readonly string[] {
  const known = Intl.supportedValuesOf("timeZone");
  return chosen === "" || known.includes(chosen) ? known : [chosen, ...known];
}

type Option = readonly [string, string];

interface ChoiceProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly problem: string;
  readonly help?: string;
  readonly onChange: (value: string) => void;
}

function Choice({ label, value, options, problem, help = "", onChange }: ChoiceProps) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}</label>
      <select id={id} className="input" value={value} aria-invalid={problem !== "" || undefined} aria-describedby={`${id}-help`} onChange={(event) => onChange(event.target.value)}>
        {options.map(([one, words]) => <option key={one} value={one}>{words}</option>)}
      </select>
      <FieldNote id={`${id}-help`} help={help} problem={problem} />
    </div>
  );
}
