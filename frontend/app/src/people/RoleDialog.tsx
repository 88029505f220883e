/** Makes or changes a role of the workspace's own. */
import { useState } from "react";
import { useStepUp } from "../account/StepUp";
import { useForm } from "../entry/useForm";
import type { CustomRole, Permission } from "../types.gen";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import type { PermissionView } from "./calls";
import { Ticks } from "./parts";
import { grouped } from "./permissions";
import { usePeopleCalls } from "./useAct";

interface Props {
  readonly role: CustomRole | null;
  readonly words: readonly PermissionView[];
  readonly onClose: () => void;
}

export function RoleDialog({ role, words, onClose }: Props) {
  const calls = usePeopleCalls();
  const withProof = useStepUp();
  const [name, setName] = useState(role?.name ?? "");
  const [chosen, setChosen] = useState<readonly string[]>(role?.permissions ?? ["inbox.read"]);
  const form = useForm(["name"], async () => {
    const permissions: readonly Permission[] = words.map((one) => one.permission).filter((one) => chosen.includes(one));
    await withProof(() => calls.saveRole(role?.id ?? null, { name, permissions }));
    showToast(role === null ? `${name} is made.` : `${name} is saved.`);
    onClose();
  });
  return (
    <Dialog title={role === null ? "Make a role" : `Change ${role.name}`} wide onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Name" value={name} required maxLength={80} onChange={(event) => setName(event.target.value)} problem={form.problemOf("name")} />
        {grouped(words.filter((one) => one.grantable)).map((group) => (
          <Ticks key={group.legend} legend={group.legend} chosen={chosen} onChange={setChosen}
            rows={group.words.map((one) => ({ id: one.permission, label: one.name, help: one.description, fixed: one.permission === "inbox.read" }))} />
        ))}
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <footer className="dialog-foot"><Button onClick={onClose}>Cancel</Button><Button type="submit" look="primary" busy={form.busy}>Save role</Button></footer>
      </form>
    </Dialog>
  );
}
