/** After set-up: the two shortest ways to a first message. */
import { useState } from "react";
import { useClient, useFeed, useSignedIn } from "../context";
import { vendorName } from "../lib/names";
import { INBOX, Link } from "../router";
import { defaultsOf } from "../settings/form";
import type { ChannelView } from "../types.gen";
import { Button } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { EntryPage } from "./EntryPage";

export function Welcome() {
  const { manifests } = useSignedIn();
  const workspace = useFeed((state) => state.workspace.name);
  const chat = manifests.find((manifest) => manifest.capabilities.visitors);
  const sms = manifests.find((manifest) => manifest.capabilities.segments);
  return (
    <EntryPage wide title={`${workspace} is ready`} text="Receive a first message. You can connect more channels at any time.">
      <div className="starts">
        {chat !== undefined && <TryLiveChat manifest={chat} />}
        {sms !== undefined && (
          <section className="start">
            <span className="start-icon"><Icon name="phone" size={22} /></span>
            <h2>Connect SMS</h2>
            <p>Answer texts to your {vendorName(sms)} number from the inbox. You need the account’s keys and the number.</p>
            <Link className="button button-quiet" to={{ page: "channels", connect: sms.id, account: null }}>Connect SMS</Link>
          </section>
        )}
      </div>
      <p className="entry-foot"><Link to={INBOX}>Go to the inbox</Link></p>
    </EntryPage>
  );
}

function TryLiveChat({ manifest }: { readonly manifest: ChannelView }) {
  const client = useClient();
  const connected = useFeed((state) => Object.values(state.channelAccounts).find((account) => account.channel === manifest.id && account.status === "connected"));
  const [busy, setBusy] = useState(false);
  const [opened, setOpened] = useState(false);

  const open = async (): Promise<void> => {
    // The tab must be opened by the click itself, or the browser blocks it; its address comes when the account is made.
    const tab = window.open("about:blank", "_blank");
    setBusy(true);
    try {
      const id = connected?.id ?? (await connect());
      if (tab === null) window.location.assign(`/sample/${id}`);
      else tab.location.href = `/sample/${id}`;
      setOpened(true);
    } catch (error) {
      tab?.close();
      showError(error);
    }
    setBusy(false);
  };
  const connect = async (): Promise<string> => {
    const answer = await client.api.connect({
      channel: manifest.id, name: "Website chat", credentials: defaultsOf(manifest.credentials), settings: defaultsOf(manifest.settings),
    });
    client.feed.merge({ channelAccounts: [answer.channel_account] });
    return answer.id;
  };
  return (
    <section className="start">
      <span className="start-icon"><Icon name="chat" size={22} /></span>
      <h2>Try live chat</h2>
      <p>A sample page with your chat opens in a new tab. Write something there: it appears in the inbox by itself, without a reload.</p>
      {opened
        ? <Link className="button button-primary" to={INBOX}>Go to the inbox</Link>
        : <Button look="primary" icon="external" busy={busy} onClick={() => void open()}>Try live chat</Button>}
    </section>
  );
}
