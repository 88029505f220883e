/** Connects a channel, or changes a connected one: a form generated from the manifest. Keys are checked by the hub. */
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api";
import type { AccountAnswer } from "../api";
import { useClient } from "../context";
import { isLoopback } from "../lib/address";
import { vendorName } from "../lib/names";
import type { ChannelAccount, Field, ChannelView, Preset } from "../types.gen";
import { Button, ChannelIcon } from "../ui/basics";
import { TextField } from "../ui/field";
import { Icon } from "../ui/icons";
import { ManifestField } from "./ManifestField";
import { Presets } from "./Presets";
import { SignInNote } from "./SignInNote";
import { applyPreset, complaints, fieldKey, firstValues, isAsked, isWho, keyOfRefusal, presetFor, toForm } from "./form";
import type { Part, Values } from "./form";
import { goToVendor } from "./signIn";

interface ConnectFormProps {
  readonly manifest: ChannelView;
  /** The account to change; without it a new one is connected. */
  readonly account?: ChannelAccount;
  readonly onDone: (answer: AccountAnswer) => void;
  readonly onClose: () => void;
}

export function ConnectForm({ manifest, account, onDone, onClose }: ConnectFormProps) {
  const form = useConnect({ manifest, ...(account === undefined ? {} : { account }), onDone, onClose });
  const fields = (part: Part, all: readonly Field[]) => all.map((field) => {
    const key = fieldKey(part, field);
    return (
      <ManifestField key={key} field={field} value={form.values[key] ?? ""} problem={form.problems[key] ?? ""}
        keeps={account !== undefined && part === "credentials"} onChange={(value) => form.set(key, value)} />
    );
  });
  const asked = (field: Field): boolean => isAsked(manifest, field);
  const signsIn = account === undefined && manifest.sign_in !== null;
  const label = signsIn ? `Sign in with ${vendorName(manifest)}` : account === undefined ? "Check and connect" : "Check and save";
  const optional = (["credentials", "settings"] as const)
    .flatMap((part) => manifest[part].filter((field) => !asked(field)).map((field) => fieldKey(part, field)));
  return (
    <div className="settings-page">
      <header className="settings-head">
        <Button look="ghost" icon="back" onClick={onClose}>Channels</Button>
        <h1 className="settings-with-icon"><span className="start-icon"><ChannelIcon channel={manifest} size={20} /></span>{account === undefined ? `Connect ${manifest.name}` : `Change ${account.name}`}</h1>
        <p>{manifest.summary}</p>
      </header>
      {account === undefined && manifest.setup_steps.length > 0 && (
        <ol className="steps">{manifest.setup_steps.map((step) => <li key={step}>{step}</li>)}</ol>
      )}
      {manifest.needs_public_url && isLoopback(window.location.hostname) && (
        <p className="notice"><Icon name="info" size={16} />You opened the hub at {window.location.host}. {vendorName(manifest)} must reach it from outside: after saving, check the warnings on the channel’s card.</p>
      )}
      <form ref={form.element} className="form form-card" onSubmit={(event) => { event.preventDefault(); void form.submit(); }} noValidate>
        {account === undefined && manifest.presets.length > 0 && <Presets presets={manifest.presets} chosen={form.preset} onChoose={form.choose} />}
        <TextField label="Name" help="What your team calls it." value={form.values["name"] ?? ""} problem={form.problems["name"] ?? ""} maxLength={200} onChange={(event) => form.set("name", event.target.value)} />
        {fields("settings", manifest.settings.filter((field) => asked(field) && isWho(field)))}
        {fields("credentials", manifest.credentials.filter(asked))}
        {fields("settings", manifest.settings.filter((field) => asked(field) && !isWho(field)))}
        {optional.length > 0 && (
          // Opens by itself when the complaint is inside.
          <details className="more" open={optional.some((key) => form.problems[key] !== undefined) || undefined}>
            <summary>More options</summary>
            <div>
              {fields("settings", manifest.settings.filter((field) => !asked(field)))}
              {fields("credentials", manifest.credentials.filter((field) => !asked(field)))}
            </div>
          </details>
        )}
        {account === undefined && <SignInNote manifest={manifest} />}
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <div className="form-foot">
          {manifest.docs_url !== "" && <a className="form-docs" href={manifest.docs_url} target="_blank" rel="noopener noreferrer">Where to find these<Icon name="external" size={14} /></a>}
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" busy={form.busy}>{label}</Button>
        </div>
      </form>
    </div>
  );
}

function useConnect({ manifest, account, onDone }: ConnectFormProps) {
  const client = useClient();
  const { workspaceId } = useClient();
  const [values, setValues] = useState(() => firstValues(manifest, account?.name ?? manifest.name, account?.settings));
  const [problems, setProblems] = useState<Values>({});
  const [general, setGeneral] = useState("");
  const [busy, setBusy] = useState(false);
  const [chosen, setChosen] = useState<Preset | null>(null);
  const element = useRef<HTMLFormElement>(null);

  useEffect(() => {
    element.current?.querySelector<HTMLElement>("[aria-invalid]")?.focus();
  }, [problems]);

  const set = (key: string, value: string): void => {
    setValues((held) => ({ ...held, [key]: value }));
    setProblems(({ [key]: _mended, ...rest }) => rest);
    // Typing one's address says who the provider is, until the member says otherwise.
    const known = account === undefined && chosen === null ? presetFor(manifest, value) : undefined;
    if (known !== undefined) choose(known);
  };
  const choose = (preset: Preset | null): void => {
    setChosen(preset);
    if (preset !== null) setValues((held) => applyPreset(manifest, held, preset));
    setProblems({});
  };
  const submit = async (): Promise<void> => {
    const found = complaints(manifest, values, { secretsMayStay: account !== undefined });
    setProblems(found);
    setGeneral("");
    if (Object.keys(found).length > 0) return;
    setBusy(true);
    try {
      if (account === undefined && manifest.sign_in !== null) await goToVendor(workspaceId, toForm(manifest, values));
      else onDone(await save());
    } catch (error) {
      const refusal = error instanceof ApiError ? error : new ApiError(0, "internal", "That did not work. Try again.");
      const key = keyOfRefusal(manifest, refusal.field);
      if (key === null) setGeneral(refusal.message);
      else setProblems({ [key]: refusal.message });
      setBusy(false);
    }
  };
  const save = (): Promise<AccountAnswer> => {
    const { channel: _channel, credentials, ...form } = toForm(manifest, values);
    if (account === undefined) return client.api.connect(toForm(manifest, values));
    // Credentials that are not named stay as they are; a blank one would clear it.
    const typed = Object.entries(credentials).filter(([, value]) => value !== "");
    return client.api.changeAccount(account.id, typed.length > 0 ? { ...form, credentials: Object.fromEntries(typed) } : form);
  };
  return { values, problems, general, busy, element, preset: chosen, choose, set, submit };
}
