/** After set-up: the shortest ways to a first message. */
import { useState } from "react";
import { useClient, useFeed, useSignedIn } from "../context";
import { INBOX, Link } from "../router";
import { byRank } from "../settings/rank";
import { defaultsOf } from "../settings/form";
import type { ChannelView } from "../types.gen";
import { Button, ChannelIcon } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { EntryPage } from "./EntryPage";

/** How the channels of the first screen are offered; the rest are in the settings. */
const OFFERED = 3;

export function Welcome() {
  const { manifests } = useSignedIn();
  const workspace = useFeed((state) => state.workspace.name);
  const offered = byRank(manifests).slice(0, OFFERED);
  return (
    <EntryPage wide title={`${workspace} is ready`} text="Receive a first message. You can connect more channels at any time.">
      <div className="starts" data-count={offered.length}>
        {offered.map((manifest, index) => (manifest.capabilities.visitors
          ? <TryLiveChat key={manifest.id} manifest={manifest} first={index === 0} />
          : <Offer key={manifest.id} manifest={manifest} first={index === 0} />))}
      </div>
      <p className="entry-foot"><Link to={INBOX}>Go to the inbox</Link></p>
    </EntryPage>
  );
}

function Offer({ manifest, first }: { readonly manifest: ChannelView; readonly first: boolean }) {
  return (
    <section className="start">
      <span className="start-icon"><ChannelIcon channel={manifest} size={22} /></span>
      <h2>Connect {shortName(manifest)}</h2>
      <p>{manifest.summary}{manifest.needs_public_url ? " Needs a public address of this hub." : ""}</p>
      <Link className={`button ${first ? "button-primary" : "button-quiet"}`} to={{ page: "channels", connect: manifest.id, account: null }}>Connect {shortName(manifest)}</Link>
    </section>
  );
}

const shortName = ({ name }: ChannelView): string => name.replace(/\s*\([^()]*\)$/, "");

function TryLiveChat({ manifest, first }: { readonly manifest: ChannelView; readonly first: boolean }) {
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
        : <Button look={first ? "primary" : "quiet"} icon="external" busy={busy} onClick={() => void open()}>Try live chat</Button>}
    </section>
  );
}
