/** How a channel account is doing, in words. */
import type { ChannelAccount } from "../types.gen";

export interface AccountState {
  readonly label: string;
  readonly tone: "ok" | "warn" | "bad" | "off";
}

export function accountState({ status, status_reason }: ChannelAccount): AccountState {
  switch (status) {
    case "connected": return { label: "Connected", tone: "ok" };
    case "paused": return { label: status_reason === "" ? "Paused" : `Paused: ${status_reason}`, tone: "off" };
    case "needs_sign_in": return { label: status_reason === "" ? "Needs new keys" : status_reason, tone: "bad" };
    case "removed": return { label: "Removed", tone: "off" };
  }
}
