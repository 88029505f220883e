/** One connected channel: its state, its address, and what can be done with it. */
import { Suspense, lazy, useEffect, useRef, useState } from "react";
import type { AccountAnswer } from "../api";
import { useClient } from "../context";
import { channelName, vendorName } from "../lib/names";
import { calendarDay } from "../lib/time";
import { CHANNELS, navigate } from "../router";
import type { ChannelAccount, ChannelView } from "../types.gen";
import { Button, ChannelIcon, Skeleton } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { showError, showToast } from "../ui/toasts";
import type { AccountFacts } from "./Channels";
import { ConnectForm } from "./ConnectForm";
import { CopyLine } from "./CopyLine";
import { Health } from "./Health";
import { SecretLine } from "./SecretLine";
import { goToVendor } from "./signIn";
import { accountState } from "./status";

const HealthPage = lazy(() => import("./HealthPage").then((module) => ({ default: module.HealthPage })));

interface AccountCardProps {
  readonly account: ChannelAccount;
  readonly manifest: ChannelView | undefined;
  readonly known: AccountFacts | undefined;
  readonly opened: boolean;
  readonly mayManage: boolean;
  readonly onLearn: (answer: AccountAnswer) => void;
}

type Doing = "test" | "pause" | "remove" | "sign-in";
type Test = { readonly ok: boolean; readonly message: string };

export function AccountCard({ account, manifest, known, opened, mayManage, onLearn }: AccountCardProps) {
  const [test, setTest] = useState<Test | null>(null);
  const state = accountState(account);
  const card = useRef<HTMLElement>(null);
  useEffect(() => {
    // The layout effect of the page scrolled to its top before this.
    if (opened) card.current?.scrollIntoView({ block: "nearest" });
  }, [opened]);
  return (
    <article ref={card} className={opened ? "account account-opened" : "account"} aria-label={account.name}>
      <header className="account-head">
        <span className="start-icon"><ChannelIcon channel={manifest} size={20} /></span>
        <span className="account-who">
          <strong>{account.name}</strong>
          <span>{channelName(manifest, account.channel)}{addressOf(account)} · since {calendarDay(account.created_at)}</span>
        </span>
        {account.demo && <span className="tag tag-warn">Demo</span>}
        <span className={`state state-text-${state.tone}`}><span className={`state-dot state-${state.tone}`} />{state.label}</span>
      </header>
      {known !== undefined && <Health health={known.health} />}
      {known?.warnings.map((warning) => <p className="notice notice-warn" key={warning}><Icon name="alert" size={16} />{warning}</p>)}
      {test !== null && <p className={test.ok ? "notice notice-ok" : "notice notice-bad"} role="status"><Icon name={test.ok ? "check" : "alert"} size={16} />{test.message}</p>}
      {manifest?.capabilities.visitors === true && <Embed account={account} />}
      {manifest?.transport === "webhook" && known !== undefined && known.webhook_url !== "" && (
        <CopyLine label="Webhook address" help={`Enter it at ${vendorName(manifest)} for incoming messages.`} text={known.webhook_url} />
      )}
      {mayManage && manifest?.generated.map((field) => <SecretLine key={field.name} account={account} field={field} />)}
      {mayManage && opened && <Suspense fallback={<Skeleton rows={4} className="skeleton-thread" />}><HealthPage accountId={account.id} /></Suspense>}
      {mayManage && <AccountActs opened={opened} account={account} manifest={manifest} onLearn={onLearn} onTest={setTest} />}
    </article>
  );
}

/** The address customers write to, where the settings have one. */
function addressOf({ settings }: ChannelAccount): string {
  const address = settings["phone_number"] ?? settings["address"];
  return address === undefined || address === "" ? "" : ` · ${address}`;
}

function Embed({ account }: { readonly account: ChannelAccount }) {
  const snippet = `<script async src="${window.location.origin}/widget.js" data-channel="${account.id}"></script>`;
  return (
    <>
      <CopyLine label="Put this before </body> on your site" text={snippet} />
      <a className="account-link" href={`/sample/${account.id}`} target="_blank" rel="noopener">See it on a sample page<Icon name="external" size={14} /></a>
    </>
  );
}

interface ActsProps {
  readonly opened: boolean;
  readonly account: ChannelAccount;
  readonly manifest: ChannelView | undefined;
  readonly onLearn: (answer: AccountAnswer) => void;
  readonly onTest: (test: Test) => void;
}

function AccountActs({ opened, account, manifest, onLearn, onTest }: ActsProps) {
  const { api } = useClient();
  const { workspaceId } = useClient();
  const [busy, setBusy] = useState<Doing | null>(null);
  const [asking, setAsking] = useState<"remove" | "change" | null>(null);
  const run = async (what: Doing, act: () => Promise<void>): Promise<void> => {
    setBusy(what);
    await act().catch(showError);
    setBusy(null);
  };
  const paused = account.status === "paused";
  const toggle = (): Promise<void> => run("pause", async () => {
    onLearn(await api.changeAccount(account.id, { status: paused ? "connected" : "paused" }));
    showToast(paused ? `${account.name} is connected again.` : `${account.name} is paused.`);
  });
  const signsIn = manifest?.sign_in !== null && manifest?.sign_in !== undefined && !account.demo;
  const signIn = (): Promise<void> => run("sign-in", () => goToVendor(workspaceId, { channel: account.channel, account_id: account.id }));
  const remove = (): Promise<void> => run("remove", async () => {
    await api.removeAccount(account.id);
    setAsking(null);
    showToast(`${account.name} was removed. Its conversations stay.`);
  });
  return (
    <footer className="account-acts">
      <Button icon="bolt" busy={busy === "test"} onClick={() => void run("test", async () => onTest(await api.testAccount(account.id)))}>{manifest?.can_test === true ? "Send a test" : "Test"}</Button>
      {signsIn && <Button look={account.status === "needs_sign_in" ? "primary" : "quiet"} icon="key" busy={busy === "sign-in"} onClick={() => void signIn()}>Sign in again</Button>}
      {account.status === "needs_sign_in"
        ? !signsIn && <Button look="primary" icon="edit" onClick={() => setAsking("change")}>Enter new keys</Button>
        : <Button icon={paused ? "play" : "pause"} busy={busy === "pause"} onClick={() => void toggle()}>{paused ? "Resume" : "Pause"}</Button>}
      {account.status !== "needs_sign_in" && manifest !== undefined && <Button icon="edit" onClick={() => setAsking("change")}>Change</Button>}
      <Button icon={opened ? "down" : "right"} aria-expanded={opened} onClick={() => navigate(opened ? CHANNELS : { page: "channels", connect: null, account: account.id })}>How it does</Button>
      <span className="account-space" />
      <Button look="ghost" icon="trash" className="button-remove" onClick={() => setAsking("remove")}>Remove</Button>
      {asking === "remove" && (
        <Confirm title={`Remove ${account.name}?`} confirm="Remove" danger busy={busy === "remove"} onConfirm={() => void remove()} onClose={() => setAsking(null)}>
          Its messages stop arriving and nothing more can be sent on it. The conversations stay. The saved keys are deleted.
        </Confirm>
      )}
      {asking === "change" && manifest !== undefined && (
        <Dialog title={`Change ${account.name}`} wide onClose={() => setAsking(null)}>
          <ConnectForm manifest={manifest} account={account} onClose={() => setAsking(null)}
            onDone={(answer) => { onLearn(answer); setAsking(null); showToast("Saved."); }} />
        </Dialog>
      )}
    </footer>
  );
}
