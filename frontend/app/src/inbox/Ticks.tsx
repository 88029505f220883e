/** How far a message has come. */
import type { DeliveryStatus } from "../types.gen";

type Shown = Exclude<DeliveryStatus, "failed" | "unknown"> | "waiting";

const WORDS: Readonly<Record<Shown, string>> = {
  waiting: "Waiting to reach the hub",
  queued: "Queued",
  sending: "Sending",
  sent: "Sent",
  delivered: "Delivered",
  read: "Read",
};

export function Ticks({ status }: { readonly status: Shown }) {
  const clock = status === "waiting" || status === "queued" || status === "sending";
  return (
    <span className={`ticks ticks-${status}`} title={WORDS[status]}>
      <svg width="18" height="12" viewBox="0 0 18 12" fill="none" stroke="currentColor" strokeWidth="1.6" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
        {clock ? <><circle cx="11" cy="6" r="4.600" /><path d="M11 3.600V6l1.600 1" /></> : (
          <>
            <path d="M6.500 6.500l2.700 2.700L15 2.800" />
            {status !== "sent" && <path d="M2 6.500l2.700 2.700M10.300 2.800L7.600 5.800" />}
          </>
        )}
      </svg>
      <span>{WORDS[status]}</span>
    </span>
  );
}
