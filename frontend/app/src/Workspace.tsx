/** One workspace of a signed-in member: makes its client, waits for the first state, shows the page of the route. */
import { Suspense, lazy, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { accountApi } from "./api";
import type { SessionAnswer } from "./api";
import { SignedInProvider } from "./context";
import { InboxPage } from "./inbox/InboxPage";
import { BootScreen } from "./inbox/BootScreen";
import { Rail } from "./inbox/Rail";
import { INBOX, Link, isSettings, navigate, useRoute } from "./router";
import { HubClient } from "./sync/client";
import { systemClock } from "./sync/clock";
import type { ChannelView } from "./types.gen";
import { Button, Empty } from "./ui/basics";

const Settings = lazy(() => import("./settings/Settings").then((module) => ({ default: module.Settings })));
const Welcome = lazy(() => import("./entry/Welcome").then((module) => ({ default: module.Welcome })));

const CHOSEN = "hub.workspace";

interface WorkspaceProps {
  readonly session: SessionAnswer;
  readonly onSignedOut: () => void;
  readonly signOut: () => void;
}

export function Workspace({ session, onSignedOut, signOut }: WorkspaceProps) {
  const [chosen, setChosen] = useState(() => Number(localStorage.getItem(CHOSEN)));
  const membership = session.workspaces.find((one) => one.workspace_id === chosen) ?? session.workspaces[0];

  const switchWorkspace = useCallback((workspaceId: number) => {
    localStorage.setItem(CHOSEN, String(workspaceId));
    setChosen(workspaceId);
    navigate(INBOX);
  }, []);

  if (membership === undefined) {
    return (
      <main className="entry">
        <Empty page icon="people" title="You are in no workspace yet" action={<Button onClick={signOut}>Sign out</Button>}>
          Ask an owner to add {session.login.email}.
        </Empty>
      </main>
    );
  }
  return (
    <Running key={membership.workspace_id} session={session} workspaceId={membership.workspace_id} memberId={membership.member_id}
      onSignedOut={onSignedOut} signOut={signOut} switchWorkspace={switchWorkspace} />
  );
}

interface RunningProps extends WorkspaceProps {
  readonly workspaceId: number;
  readonly memberId: string;
  readonly switchWorkspace: (workspaceId: number) => void;
}

function Running({ session, workspaceId, memberId, onSignedOut, signOut, switchWorkspace }: RunningProps) {
  const client = useClientOf(workspaceId, memberId, onSignedOut);
  const [manifests, setManifests] = useState<readonly ChannelView[]>([]);
  const ready = useSyncExternalStore(client.feed.subscribe, () => client.feed.get() !== null);

  useEffect(() => {
    accountApi.channels().then(({ channels }) => setManifests(channels), () => undefined);
  }, []);

  const value = useMemo(
    () => ({ client, session, manifests, signOut, switchWorkspace }),
    [client, session, manifests, signOut, switchWorkspace],
  );
  return <SignedInProvider value={value}>{ready ? <Screen /> : <BootScreen />}</SignedInProvider>;
}

function Screen() {
  const route = useRoute();
  if (route.page === "welcome") return <Suspense fallback={<div className="boot" />}><Welcome /></Suspense>;
  const page = () => {
    if (route.page === "inbox") return <InboxPage route={route} />;
    if (isSettings(route)) return <Settings route={route} />;
    return (
      <main className="pane pane-lone">
        <Empty page icon="info" title="There is nothing at this address" action={<Link to={INBOX} className="button button-primary">Go to the inbox</Link>}>
          The link may be old or mistyped.
        </Empty>
      </main>
    );
  };
  return (
    <div className="shell" data-page={route.page}>
      <Rail />
      <Suspense fallback={<main className="pane pane-lone" />}>{page()}</Suspense>
    </div>
  );
}

function useClientOf(workspaceId: number, memberId: string, onSignedOut: () => void): HubClient {
  const [client] = useState(() => new HubClient({
    workspaceId, memberId, onSignedOut,
    clock: systemClock,
    storage: localStorage,
    openSocket: () => new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws`),
  }));
  useEffect(() => {
    const wake = (): void => client.wake();
    const sleep = (): void => client.sleep();
    const shown = (): void => {
      if (document.visibilityState === "visible") client.wake();
    };
    client.start();
    window.addEventListener("online", wake);
    window.addEventListener("offline", sleep);
    document.addEventListener("visibilitychange", shown);
    return () => {
      client.stop();
      window.removeEventListener("online", wake);
      window.removeEventListener("offline", sleep);
      document.removeEventListener("visibilitychange", shown);
    };
  }, [client]);
  return client;
}
