/** How the chain of the log stands: its newest signed head. The proof itself is `hub audit verify`, on the hub's computer. */
import { fullTime } from "../lib/time";
import { useAsked } from "../people/useAct";
import { Icon } from "../ui/icons";
import type { auditCalls } from "./calls";

export function Chain({ calls }: { readonly calls: ReturnType<typeof auditCalls> }) {
  const { answer, problem } = useAsked(calls.newestHead);
  if (problem !== "") return <p className="notice notice-warn"><Icon name="alert" size={16} />{problem}</p>;
  return (
    <p className="notice">
      <Icon name="shield" size={16} />
      <span>
        {answer === null ? "No head of the chain is signed yet: that happens every hour. " : `Entries up to ${answer.position} were signed ${fullTime(answer.signed_at)}. `}
        <code>hub audit verify</code> on the hub’s computer names any entry that was altered.
      </span>
    </p>
  );
}
