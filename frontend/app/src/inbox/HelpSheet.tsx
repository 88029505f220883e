/** The keys of the inbox, on one sheet. */
import { useSignal } from "../context";
import { MOD } from "../lib/keys";
import { Signal } from "../sync/signal";
import { SHORTCUT } from "../workspaces/keys";
import { Kbd } from "../ui/basics";
import { Dialog } from "../ui/dialog";

export const showHelp = new Signal(false);

const GROUPS: readonly (readonly [string, readonly (readonly [readonly string[], string])[]])[] = [
  ["Move", [[["J"], "Next conversation"], [["K"], "Previous conversation"], [["Esc"], "Leave the field, then the conversation"]]],
  ["Answer", [[["R"], "Write a reply"], [["N"], "Write a note"], [[MOD, "Enter"], "Send"]]],
  ["Decide", [[["E"], "Close, or reopen"], [["S"], "Snooze"], [["A"], "Assign"], [["U"], "Mark unread"]]],
  ["Go", [[[SHORTCUT, "1–9"], "Another workspace"]]],
  ["Help", [[["?"], "This sheet"]]],
];

export function HelpSheet() {
  const open = useSignal(showHelp);
  if (!open) return null;
  return (
    <Dialog title="Keyboard shortcuts" onClose={() => showHelp.set(false)} wide>
      <div className="keys">
        {GROUPS.map(([title, rows]) => (
          <section key={title}>
            <h3>{title}</h3>
            <dl>
              {rows.map(([keys, what]) => (
                <div key={what}><dt>{what}</dt><dd>{keys.map((key) => <Kbd key={key}>{key}</Kbd>)}</dd></div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
