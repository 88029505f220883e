/** Settings → Members: who works here, as what, and who is invited. Rows come from the live state: changes made elsewhere appear. */
import { useState } from "react";
import { useClient, useFeed, useSignal } from "../context";
import { memberName } from "../lib/names";
import { plural } from "../lib/text";
import { may } from "../sync/state";
import type { Member, Uuid } from "../types.gen";
import { Button, Empty } from "../ui/basics";
import { TextField } from "../ui/field";
import { Deactivate } from "./Deactivate";
import { Invitations } from "./Invitations";
import { InviteDialog } from "./InviteDialog";
import { MemberRow } from "./MemberRow";
import { PageHead, Select, standingValue, useRoleOptions } from "./parts";

const STATES = [{ value: "active", label: "Active" }, { value: "inactive", label: "Deactivated" }, { value: "", label: "Everybody" }];

export function Members() {
  const members = useFeed((state) => state.members);
  const mayManage = useFeed((state) => may(state, "members.manage"));
  const { online } = useSignal(useClient().company);
  const [text, setText] = useState("");
  const [state, setState] = useState("active");
  const [role, setRole] = useState("");
  const [inviting, setInviting] = useState(false);
  const [leaving, setLeaving] = useState<Uuid | null>(null);
  const [round, setRound] = useState(0);
  const roles = useRoleOptions();
  const rows = sorted(Object.values(members)).filter((one) => fits(one, text, state, role));
  const gone = leaving === null ? undefined : members[leaving];
  return (
    <div className="settings-page">
      <PageHead title="Members" action={mayManage && <Button look="primary" icon="plus" onClick={() => setInviting(true)}>Invite people</Button>}>
        Who works in this workspace, and what they may do.
      </PageHead>
      <div className="people-tools" role="search" aria-label="Members">
        <TextField label="Search" type="search" value={text} placeholder="Name or address" onChange={(event) => setText(event.target.value)} />
        <Select label="State" value={state} options={STATES} onChange={setState} />
        <Select label="Role" value={role} options={[{ value: "", label: "Any role" }, ...roles]} onChange={setRole} />
      </div>
      <section aria-label={plural(rows.length, "member")}>
        {rows.length === 0 && <Empty icon="people" title="Nobody fits" action={<Button onClick={() => { setText(""); setRole(""); setState(""); }}>Show everybody</Button>}>Try another word, state or role.</Empty>}
        <ul className="cards-list">
          {rows.map((member) => (
            <MemberRow key={member.id} member={member} online={online?.includes(member.id) === true} mayManage={mayManage} onLeave={() => setLeaving(member.id)} />
          ))}
        </ul>
      </section>
      {mayManage && <Invitations round={round} />}
      {inviting && <InviteDialog onClose={() => setInviting(false)} onSent={() => setRound(round + 1)} />}
      {gone !== undefined && <Deactivate member={gone} onClose={() => setLeaving(null)} />}
    </div>
  );
}

const sorted = (members: readonly Member[]): readonly Member[] =>
  [...members].sort((left, right) => Number(right.active) - Number(left.active) || memberName(left).localeCompare(memberName(right)));

function fits(member: Member, text: string, state: string, role: string): boolean {
  const wanted = text.trim().toLowerCase();
  const named = `${member.name}\n${member.email}`.toLowerCase().includes(wanted);
  return named && (state === "" || member.active === (state === "active")) && (role === "" || standingValue(member) === role);
}
