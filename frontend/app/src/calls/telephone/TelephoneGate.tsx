/** Loads the telephone where an account of the workspace has one in the browser, and the member may answer people. */
import { Suspense, lazy } from "react";
import { useFeed, useSignedIn } from "../../context";
import { may } from "../../sync/state";

const TelephoneRail = lazy(() => import("./TelephoneRail").then((module) => ({ default: module.TelephoneRail })));

export function TelephoneGate() {
  const { manifests } = useSignedIn();
  const mayReply = useFeed((state) => may(state, "inbox.reply"));
  const accounts = useFeed((state) => state.channelAccounts);
  const account = Object.values(accounts).find((one) => {
    const softphone = manifests.find((manifest) => manifest.id === one.channel)?.softphone;
    return softphone !== null && softphone !== undefined && one.status === "connected" && (one.settings[softphone.setting] ?? "") !== "";
  });
  if (account === undefined || !mayReply) return null;
  return <Suspense fallback={null}><TelephoneRail accountId={account.id} /></Suspense>;
}
