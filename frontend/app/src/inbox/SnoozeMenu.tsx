import { useState } from "react";
import { fromInput, snoozeChoices, timeZone, toInput, untilTime } from "../lib/time";
import type { Conversation } from "../types.gen";
import { Button, Kbd } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { Menu, MenuItem } from "../ui/menu";

interface SnoozeMenuProps {
  readonly conversation: Conversation;
  readonly open: boolean;
  readonly disabled: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly onSnooze: (until: Date) => void;
  readonly onUnsnooze: () => void;
}

/** When to bring a conversation back. */
export function SnoozeMenu({ conversation, open, disabled, onOpen, onSnooze, onUnsnooze }: SnoozeMenuProps) {
  const [asking, setAsking] = useState(false);
  const now = new Date();
  return (
    <>
      <Menu label="Snooze" open={open} onOpen={onOpen} disabled={disabled} button={<><Icon name="snooze" size={16} /><span className="act-text">Snooze <Kbd>S</Kbd></span></>}>
        {snoozeChoices(now).map(({ label, until }) => (
          <MenuItem key={label} hint={untilTime(until.toISOString(), now)} onSelect={() => onSnooze(until)}>{label}</MenuItem>
        ))}
        <div className="menu-group" role="group">
          <MenuItem onSelect={() => setAsking(true)}>Pick a date and time…</MenuItem>
          {conversation.status === "snoozed" && <MenuItem onSelect={onUnsnooze}>Bring back now</MenuItem>}
        </div>
      </Menu>
      {asking && <PickTime onClose={() => setAsking(false)} onPick={(until) => { setAsking(false); onSnooze(until); }} />}
    </>
  );
}

function PickTime({ onPick, onClose }: { readonly onPick: (until: Date) => void; readonly onClose: () => void }) {
  const [value, setValue] = useState(() => toInput(snoozeChoices(new Date()).at(-1)?.until ?? new Date()));
  const until = fromInput(value);
  const past = !(until.getTime() > Date.now());
  const footer = <><Button onClick={onClose}>Cancel</Button><Button look="primary" disabled={past} onClick={() => onPick(until)}>Snooze</Button></>;
  return (
    <Dialog title="Snooze until" onClose={onClose} footer={footer}>
      <label className="field">
        <span className="field-label">Date and time</span>
        <input type="datetime-local" className="input" value={value} min={toInput(new Date())} onChange={(event) => setValue(event.target.value)} />
        <span className={past ? "field-help field-bad" : "field-help"}>{past ? "Choose a time that lies ahead." : `In your time zone, ${timeZone()}.`}</span>
      </label>
    </Dialog>
  );
}
