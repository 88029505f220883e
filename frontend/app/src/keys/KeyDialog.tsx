/** Makes a key, and shows its token the one time it can be read. */
import { useState } from "react";
import { useStepUp } from "../account/StepUp";
import { useFeed } from "../context";
import { useForm } from "../entry/useForm";
import type { PermissionView } from "../people/calls";
import { Select, Ticks } from "../people/parts";
import { grouped } from "../people/permissions";
import { CopyLine } from "../settings/CopyLine";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import type { KeyCalls, MadeKey } from "./calls";

const DAY_MS = 86_400_000;
const LIFETIMES = [{ value: "30", label: "30 days" }, { value: "90", label: "90 days" }, { value: "365", label: "A year" }, { value: "", label: "Never" }];
// The hub gives these to no key: one that makes keys or roles would outlive its own revocation.
const UNGRANTABLE = ["keys.manage", "roles.manage"];

interface Props {
  readonly title: string;
  readonly calls: KeyCalls;
  readonly words: readonly PermissionView[];
  readonly onClose: () => void;
  readonly onMade: (made: MadeKey) => void;
}

export function KeyDialog({ title, calls, words, onClose, onMade }: Props) {
  const mine = useFeed((state) => state.permissions);
  const inboxes = useFeed((state) => state.inboxes);
  const withProof = useStepUp();
  const [name, setName] = useState("");
  const [days, setDays] = useState("365");
  const [chosen, setChosen] = useState<readonly string[]>(["inbox.read"]);
  const [inboxIds, setInboxIds] = useState<readonly string[]>([]);
  const offered = words.filter((one) => mine.includes(one.permission) && !UNGRANTABLE.includes(one.permission));
  const form = useForm(["name", "scopes", "expires_at"], async () => {
    const scopes = offered.map((one) => one.permission).filter((one) => chosen.includes(one));
    const expires_at = days === "" ? null : new Date(Date.now() + Number(days) * DAY_MS).toISOString();
    onMade(await withProof(() => calls.make({ name, scopes, inbox_ids: inboxIds.length === 0 ? null : inboxIds, expires_at })));
  });
  return (
    <Dialog title={title} wide onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Name" value={name} required maxLength={80} placeholder="Nightly export" onChange={(event) => setName(event.target.value)} problem={form.problemOf("name")} />
        <Select label="Expires in" value={days} options={LIFETIMES} onChange={setDays} problem={form.problemOf("expires_at")}
          help={days === "" ? "Whoever finds it can use it until somebody revokes it. Better choose an end." : "Rotate it before, and programs do not notice."} />
        {grouped(offered).map((group) => <Ticks key={group.legend} legend={group.legend} chosen={chosen} onChange={setChosen} rows={group.words.map((one) => ({ id: one.permission, label: one.name, help: one.description }))} />)}
        {Object.keys(inboxes).length > 1 && <Ticks legend="Only these inboxes (none ticked: all you see)" rows={Object.values(inboxes).map((one) => ({ id: one.id, label: one.name }))} chosen={inboxIds} onChange={setInboxIds} />}
        {form.problemOf("scopes") + form.general !== "" && <p className="form-problem" role="alert">{form.problemOf("scopes") || form.general}</p>}
        <footer className="dialog-foot"><Button onClick={onClose}>Cancel</Button><Button type="submit" look="primary" icon="key" busy={form.busy}>{title}</Button></footer>
      </form>
    </Dialog>
  );
}

export function TokenOnce({ made, onClose }: { readonly made: MadeKey; readonly onClose: () => void }) {
  return (
    <Dialog title={`${made.key.name} is ready`} wide onClose={onClose} footer={<Button look="primary" onClick={onClose}>I have kept it</Button>}>
      <p className="notice notice-warn">Copy it now: nobody can show it again.</p>
      {made.warnings.map((one) => <p key={one} className="notice notice-bad">{one}</p>)}
      <CopyLine label="Token" text={made.token} />
    </Dialog>
  );
}
