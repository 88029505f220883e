/** One member of the list, with a menu of what can be done about them. */
import { useState } from "react";
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import type { Member } from "../types.gen";
import { Avatar, Unseen } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, useMenu } from "../ui/menu";
import { Button } from "../ui/basics";
import { Select, standingOf, standingValue, useRoleName, useRoleOptions } from "./parts";
import { useAct, usePeopleCalls } from "./useAct";

interface RowProps {
  readonly member: Member;
  readonly online: boolean;
  readonly mayManage: boolean;
  readonly onLeave: () => void;
}

export function MemberRow({ member, online, mayManage, onLeave }: RowProps) {
  const me = useFeed((state) => state.me);
  const teams = useFeed((state) => state.teams);
  const roleName = useRoleName();
  const calls = usePeopleCalls();
  const { busy, act } = useAct();
  const menu = useMenu();
  const [shown, setShown] = useState<"role" | "factors" | null>(null);
  const name = memberName(member);
  const owned = member.role === "owner" && me.role !== "owner";
  const theirs = Object.values(teams).filter((one) => one.member_ids.includes(member.id));
  return (
    <li className={member.active ? "member" : "member member-off"}>
      <Avatar id={member.id} name={name} picture={member.avatar} />
      <span className="member-who"><strong>{name}{member.id === me.id && " (you)"}</strong><span>{member.email}</span></span>
      <span className="people-tags">
        {theirs.map((one) => <span key={one.id} className="tag tag-faint">{one.name}</span>)}
        <span className="tag">{roleName(member)}</span>
        {!member.active && <span className="tag tag-warn">Deactivated</span>}
      </span>
      {online && <span className="state"><span className="state-dot state-ok" />Online</span>}
      {mayManage && !owned && (
        <Menu {...menu} label={`What to do about ${name}`} buttonClass="icon-button" disabled={busy} button={<><Icon name="more" /><Unseen>What to do about {name}</Unseen></>}>
          {member.active && <MenuItem onSelect={() => setShown("role")}>Change role…</MenuItem>}
          {member.active && member.id !== me.id && <MenuItem onSelect={() => setShown("factors")}>Reset second factor…</MenuItem>}
          {member.active && member.id !== me.id && <MenuItem danger onSelect={onLeave}>Deactivate…</MenuItem>}
          {!member.active && <MenuItem onSelect={() => void act(() => calls.reactivate(member.id), `${name} is back.`)}>Reactivate</MenuItem>}
        </Menu>
      )}
      {shown === "role" && <RoleDialog member={member} onClose={() => setShown(null)} />}
      {shown === "factors" && (
        <Confirm title={`Reset ${name}’s second factor?`} confirm="Reset" danger busy={busy} onClose={() => setShown(null)}
          onConfirm={() => void act(() => calls.resetFactors(member.id), `${name} can set up a second factor anew.`).then((done) => done && setShown(null))}>
          Their codes, passkeys and sign-ins end. Do this only when you are sure it is them who asked.
        </Confirm>
      )}
    </li>
  );
}

/** Also how a workspace changes hands: an owner makes somebody else owner, then lowers themselves. */
function RoleDialog({ member, onClose }: { readonly member: Member; readonly onClose: () => void }) {
  const before = standingValue(member);
  const [value, setValue] = useState(before);
  const options = useRoleOptions();
  const calls = usePeopleCalls();
  const { busy, act } = useAct();
  const save = async (): Promise<void> => {
    if (await act(() => calls.changeMember(member.id, standingOf(value)), `${memberName(member)} is now ${options.find((one) => one.value === value)?.label ?? "changed"}.`)) onClose();
  };
  const footer = <><Button onClick={onClose}>Cancel</Button><Button look="primary" busy={busy} disabled={value === before} onClick={() => void save()}>Save role</Button></>;
  return (
    <Dialog title={`Role of ${memberName(member)}`} onClose={onClose} footer={footer}>
      <Select label="Role" value={value} options={options} onChange={setValue} help="It holds at their next click; nobody has to sign in again." />
      {value === "owner" && before !== "owner" && <p className="notice notice-warn">Owners may do everything: delete the workspace, and take your own role from you.</p>}
      {before === "owner" && value !== "owner" && <p className="notice notice-warn">A workspace keeps at least one owner. Make somebody else owner first.</p>}
    </Dialog>
  );
}
