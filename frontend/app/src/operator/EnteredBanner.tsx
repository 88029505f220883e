/** Says all the time that this is an operator in somebody's workspace, and lets them leave. */
import type { SessionAnswer } from "../api";
import { clockTime } from "../lib/time";
import { Button } from "../ui/basics";
import { showError } from "../ui/toasts";
import { operatorApi } from "./calls";
import "./operator.css";

export function EnteredBanner({ entered }: { readonly entered: NonNullable<SessionAnswer["entered"]> }) {
  const until = clockTime(entered.expires_at);
  const leave = (): void => {
    operatorApi.leave().then(() => window.location.assign("/operator"), (error: unknown) => showError(error));
  };
  return (
    <div className="entered-banner" role="status">
      <span>You are here as an operator until {until}: {entered.reason}</span>
      <Button onClick={leave}>Leave</Button>
    </div>
  );
}
