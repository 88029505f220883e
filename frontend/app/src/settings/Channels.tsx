/** Settings → Channels: what is connected and how it does, and what can be connected. */
import { useEffect, useState } from "react";
import { useClient, useFeed, useSignedIn } from "../context";
import { CHANNELS, navigate } from "../router";
import { may } from "../sync/state";
import type { AccountAnswer } from "../api";
import type { ChannelView, Uuid } from "../types.gen";
import { Button, ChannelIcon, Empty, Skeleton } from "../ui/basics";
import { AccountCard } from "./AccountCard";
import { ConnectForm } from "./ConnectForm";
import { DemoNotice } from "./DemoNotice";
import { SignedIn } from "./SignedIn";
import { byRank } from "./rank";

/** What only the HTTP API tells of an account. */
export type AccountFacts = Pick<AccountAnswer, "webhook_url" | "warnings" | "health">;
export type Known = Readonly<Record<Uuid, AccountFacts>>;

const REFRESH_MS = 5_000;

export function Channels({ connect, account }: { readonly connect: string | null; readonly account: Uuid | null }) {
  const { manifests } = useSignedIn();
  const accounts = useFeed((state) => state.channelAccounts);
  const mayManage = useFeed((state) => may(state, "channels.manage"));
  const { known, learn } = useKnown(mayManage);
  const shown = Object.values(accounts).filter((one) => one.status !== "removed").sort((left, right) => (left.created_at < right.created_at ? -1 : 1));
  const chosen = manifests.find((manifest) => manifest.id === connect);

  if (chosen !== undefined && mayManage) {
    return (
      <ConnectForm key={chosen.id} manifest={chosen} onClose={() => navigate(CHANNELS)}
        onDone={(answer) => {
          learn(answer);
          navigate({ page: "channels", connect: null, account: answer.channel_account.id });
        }} />
    );
  }
  return (
    <div className="settings-page">
      <header className="settings-head">
        <h1>Channels</h1>
        <p>Everything that arrives on a channel lands in your inbox.</p>
      </header>
      <SignedIn />
      {mayManage && shown.some((one) => one.demo) && <DemoNotice />}
      {shown.length > 0 && (
        <section aria-label="Connected channels" className="cards-list">
          {shown.map((one) => (
            <AccountCard key={one.id} account={one} manifest={manifests.find((manifest) => manifest.id === one.channel)} known={known[one.id]}
              opened={one.id === account} mayManage={mayManage} onLearn={learn} />
          ))}
        </section>
      )}
      <section aria-labelledby="available">
        <h2 className="settings-title" id="available">{shown.length === 0 ? "Connect your first channel" : "Connect another"}</h2>
        {manifests.length === 0 && <Skeleton rows={2} className="skeleton-thread" />}
        {!mayManage && <Empty icon="info" title="Only owners and admins connect channels" />}
        {mayManage && <div className="available">{byRank(manifests).map((manifest) => <Available key={manifest.id} manifest={manifest} />)}</div>}
      </section>
    </div>
  );
}

function Available({ manifest }: { readonly manifest: ChannelView }) {
  return (
    <article className="channel-card">
      <span className="start-icon"><ChannelIcon channel={manifest} size={20} /></span>
      <h3>{manifest.name}</h3>
      <p>{manifest.summary}</p>
      <Button icon="plus" aria-label={`Connect ${manifest.name}`} onClick={() => navigate({ page: "channels", connect: manifest.id, account: null })}>Connect</Button>
    </article>
  );
}

/** Webhook addresses and warnings: only the HTTP API tells them, to those who manage channels. */
function useKnown(mayManage: boolean): { known: Known; learn: (answer: AccountAnswer) => void } {
  const client = useClient();
  const [known, setKnown] = useState<Known>({});
  const learn = (answer: AccountAnswer): void => {
    client.feed.merge({ channelAccounts: [answer.channel_account] });
    setKnown((held) => ({ ...held, [answer.channel_account.id]: { webhook_url: answer.webhook_url, warnings: answer.warnings, health: answer.health } }));
  };
  useEffect(() => {
    if (!mayManage) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let current = true;
    const ask = async (): Promise<void> => {
      try {
        const { channel_accounts } = await client.api.accounts();
        if (!current) return;
        client.feed.merge({ channelAccounts: channel_accounts.map((one) => one.channel_account) });
        setKnown((held) => ({ ...held, ...Object.fromEntries(channel_accounts.map((one) => [one.channel_account.id, one])) }));
      } catch {
        // What is known stays; the next question may be answered.
      }
      // Reading a mailbox's history moves while one looks.
      if (current) timer = setTimeout(() => void ask(), REFRESH_MS);
    };
    void ask();
    return () => {
      current = false;
      clearTimeout(timer);
    };
  }, [client, mayManage]);
  return { known, learn };
}
