/** Lets a member go: says what is still on their desk and asks who takes it. */
import { useCallback, useState } from "react";
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import { plural } from "../lib/text";
import type { Member } from "../types.gen";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import type { HandOver } from "./calls";
import { Select } from "./parts";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

const NOT_CLOSED = ["open", "pending", "snoozed"] as const;
const MOST_PAGES = 10;

export function Deactivate({ member, onClose }: { readonly member: Member; readonly onClose: () => void }) {
  const members = useFeed((state) => state.members);
  const teams = useFeed((state) => state.teams);
  const calls = usePeopleCalls();
  const { busy, act } = useAct();
  const [to, setTo] = useState("nobody");
  const count = useCallback(() => countWork(calls, member.id), [calls, member.id]);
  const { answer: work, problem } = useAsked(count);
  const options = [
    { value: "nobody", label: "Nobody: leave them unassigned" },
    ...Object.values(members).filter((one) => one.active && one.id !== member.id).map((one) => ({ value: `member:${one.id}`, label: memberName(one) })),
    ...Object.values(teams).map((one) => ({ value: `team:${one.id}`, label: `Team ${one.name}, in turn` })),
  ];
  const save = async (): Promise<void> => {
    if (await act(() => calls.deactivate(member.id, handOverOf(to)), `${memberName(member)} is deactivated.`)) onClose();
  };
  const footer = <><Button onClick={onClose}>Cancel</Button><Button look="danger" busy={busy} onClick={() => void save()}>Deactivate</Button></>;
  return (
    <Dialog title={`Deactivate ${memberName(member)}?`} onClose={onClose} footer={footer}>
      <p className="dialog-text">They are signed out of this workspace at once. What they wrote stays; you can take them back at any time.</p>
      <p className="notice" role="status">{problem !== "" ? problem : sayWork(work)}</p>
      <Select label="Who takes their conversations?" value={to} options={options} onChange={setTo} help="Whoever cannot see an inbox, or not reply there, gets none of its conversations." />
    </Dialog>
  );
}

function sayWork(work: Work | null): string {
  if (work === null) return "Counting their conversations…";
  const parts = NOT_CLOSED.filter((one) => work[one].rows > 0).map((one) => `${work[one].rows}${work[one].more ? " or more" : ""} ${one}`);
  const total = NOT_CLOSED.reduce((sum, one) => sum + work[one].rows, 0);
  return total === 0 ? "No conversation you can see waits for them." : `${plural(total, "conversation")} of theirs: ${parts.join(", ")}.`;
}

type Work = Readonly<Record<(typeof NOT_CLOSED)[number], { readonly rows: number; readonly more: boolean }>>;

async function countWork(calls: ReturnType<typeof usePeopleCalls>, memberId: string): Promise<Work> {
  const count = async (status: string): Promise<{ rows: number; more: boolean }> => {
    let rows = 0;
    let before: string | null = null;
    for (let page = 0; page < MOST_PAGES; page++) {
      const found: { conversations: readonly unknown[]; next: string | null } = await calls.work(memberId, status, before);
      rows += found.conversations.length;
      before = found.next ?? null;
      if (before === null) return { rows, more: false };
    }
    return { rows, more: true };
  };
  const [open, pending, snoozed] = await Promise.all([count("open"), count("pending"), count("snoozed")]);
  return { open, pending, snoozed };
}

function handOverOf(value: string): HandOver {
  const [to, id = null] = value.split(":");
  return to === "member" || to === "team" ? { to, id } : { to: "nobody", id: null };
}
