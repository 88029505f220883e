/** Who works here. */
import { useClient, useFeed, useSignal } from "../context";
import { memberName } from "../lib/names";
import { Avatar } from "../ui/basics";
import type { Role } from "../types.gen";

const ROLES: Readonly<Record<Role, string>> = {
  owner: "Owner", admin: "Admin", agent: "Agent", viewer: "Viewer",
};

export function Members() {
  const members = useFeed((state) => state.members);
  const me = useFeed((state) => state.me.id);
  const { company } = useClient();
  const { online } = useSignal(company);
  const rows = Object.values(members).sort((left, right) => Number(right.active) - Number(left.active) || memberName(left).localeCompare(memberName(right)));
  return (
    <div className="settings-page">
      <header className="settings-head">
        <h1>Members</h1>
        <p>Add somebody or reset a password on the computer the hub runs on: <code>hub member add EMAIL</code> prints a one-time link.</p>
      </header>
      <ul className="cards-list">
        {rows.map((member) => (
          <li key={member.id} className={member.active ? "member" : "member member-off"}>
            <Avatar id={member.id} name={memberName(member)} />
            <span className="member-who"><strong>{memberName(member)}{member.id === me && " (you)"}</strong><span>{member.email}</span></span>
            {online?.includes(member.id) === true && <span className="state"><span className="state-dot state-ok" />Online</span>}
            <span className="tag">{member.active ? ROLES[member.role] : "No access"}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
