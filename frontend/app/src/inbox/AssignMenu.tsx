import { memberName } from "../lib/names";
import { useFeed } from "../context";
import type { Conversation, Uuid } from "../types.gen";
import { Avatar, Kbd } from "../ui/basics";
import { Icon } from "../ui/icons";
import { Menu, MenuItem } from "../ui/menu";

interface AssignMenuProps {
  readonly conversation: Conversation;
  readonly open: boolean;
  readonly disabled: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly onAssign: (memberId: Uuid | null) => void;
}

/** Who looks after this conversation; oneself first. */
export function AssignMenu({ conversation, open, disabled, onOpen, onAssign }: AssignMenuProps) {
  const members = useFeed((state) => state.members);
  const me = useFeed((state) => state.me.id);
  const { assignee_id } = conversation;
  const assignee = assignee_id === null ? undefined : members[assignee_id];
  const others = Object.values(members)
    .filter((member) => member.active && member.id !== me && member.role !== "viewer")
    .sort((left, right) => memberName(left).localeCompare(memberName(right)));
  const people = members[me] === undefined ? others : [members[me], ...others];
  const button = assignee_id === null
    ? <><Icon name="person" size={16} /><span className="act-text">Assign <Kbd>A</Kbd></span></>
    : <><Avatar id={assignee_id} name={memberName(assignee)} picture={assignee?.avatar} size="s" /><span className="act-text act-who">{assignee_id === me ? "You" : memberName(assignee).split(" ")[0]} <Kbd>A</Kbd></span></>;
  return (
    <Menu label={assignee_id === null ? "Assign" : `Assigned to ${memberName(assignee)}`} open={open} onOpen={onOpen} disabled={disabled} button={button}>
      {people.map((member) => (
        <MenuItem key={member.id} checked={member.id === assignee_id} onSelect={() => onAssign(member.id)}
          icon={<Avatar id={member.id} name={memberName(member)} picture={member.avatar} size="s" />}>
          {member.id === me ? `${memberName(member)} (you)` : memberName(member)}
        </MenuItem>
      ))}
      <div className="menu-group" role="group">
        <MenuItem checked={assignee_id === null} onSelect={() => onAssign(null)} icon={<Icon name="person" size={16} />}>Nobody</MenuItem>
      </div>
    </Menu>
  );
}
