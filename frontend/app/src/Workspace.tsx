/** One workspace of a signed-in member: makes its client, waits for the first state, shows the page of the route. */
import { Suspense, lazy, useCallback, useEffect, useMemo, useState, useSyncExternalStore } from "react";
import { ApiError, accountApi } from "./api";
import type { SessionAnswer } from "./api";
import { SignedInProvider, useClient, useSignal, useSignedIn } from "./context";
import { InboxPage } from "./inbox/InboxPage";
import { BootScreen } from "./inbox/BootScreen";
import { Rail } from "./inbox/Rail";
import { onOpen } from "./push/device";
import { INBOX, Link, isSettings, navigate, parseRoute, useRoute } from "./router";
import { HubClient } from "./sync/client";
import { systemClock } from "./sync/clock";
import type { ChannelView } from "./types.gen";
import { Empty } from "./ui/basics";

const Settings = lazy(() => import("./settings/Settings").then((module) => ({ default: module.Settings })));
const HomePage = lazy(() => import("./home/HomePage").then((module) => ({ default: module.HomePage })));
const NoticesPage = lazy(() => import("./notices/NoticesPage").then((module) => ({ default: module.NoticesPage })));
const Welcome = lazy(() => import("./entry/Welcome").then((module) => ({ default: module.Welcome })));

const Operator = lazy(() => import("./operator/Operator").then((module) => ({ default: module.Operator })));
const EnteredBanner = lazy(() => import("./operator/EnteredBanner").then((module) => ({ default: module.EnteredBanner })));
const Account = lazy(() => import("./account/Account").then((module) => ({ default: module.Account })));
const AccountAlone = lazy(() => import("./account/Account").then((module) => ({ default: module.AccountAlone })));

const MustEnrol = lazy(() => import("./account/Account").then((module) => ({ default: module.MustEnrol })));

const NoWorkspace = lazy(() => import("./workspaces/NoWorkspace").then((module) => ({ default: module.NoWorkspace })));

const CHOSEN = "hub.workspace";

/** The workspace a notification's link names, else the one chosen last. */
function firstChosen(): number {
  const named = Number(new URLSearchParams(location.search).get("workspace"));
  return named > 0 ? named : Number(localStorage.getItem(CHOSEN));
}

function choose(workspaceId: number, show: (workspaceId: number) => void): void {
  localStorage.setItem(CHOSEN, String(workspaceId));
  show(workspaceId);
}

interface WorkspaceProps {
  readonly session: SessionAnswer;
  readonly onSignedOut: () => void;
  readonly signOut: () => void;
  readonly reloadSession: () => Promise<void>;
}

export function Workspace({ session, onSignedOut, signOut, reloadSession }: WorkspaceProps) {
  const route = useRoute();
  const [chosen, setChosen] = useState(firstChosen);
  const membership = session.workspaces.find((one) => one.workspace_id === chosen) ?? session.workspaces[0];

  useEffect(() => onOpen(({ path, workspace_id }) => {
    if (session.workspaces.some((one) => one.workspace_id === workspace_id)) choose(workspace_id, setChosen);
    navigate(parseRoute(new URL(path, location.origin)));
  }), [session]);

  const switchWorkspace = useCallback((workspaceId: number) => {
    choose(workspaceId, setChosen);
    navigate(INBOX);
  }, []);

  if (membership === undefined) {
    if (route.page === "account") return <Suspense fallback={<div className="boot" />}><AccountAlone section={route.section} /></Suspense>;
    return <Suspense fallback={<div className="boot" />}><NoWorkspace email={session.login.email} onJoined={reloadSession} signOut={signOut} /></Suspense>;
  }
  return (
    <Running key={membership.workspace_id} session={session} workspaceId={membership.workspace_id} memberId={membership.member_id}
      onSignedOut={onSignedOut} signOut={signOut} reloadSession={reloadSession} switchWorkspace={switchWorkspace} />
  );
}

interface RunningProps extends WorkspaceProps {
  readonly workspaceId: number;
  readonly memberId: string;
  readonly switchWorkspace: (workspaceId: number) => void;
}

function Running({ session, workspaceId, memberId, onSignedOut, signOut, reloadSession, switchWorkspace }: RunningProps) {
  const client = useClientOf(workspaceId, memberId, onSignedOut);
  const [manifests, setManifests] = useState<readonly ChannelView[]>([]);
  const ready = useSyncExternalStore(client.feed.subscribe, () => client.feed.get() !== null);

  useEffect(() => {
    accountApi.channels().then(({ channels }) => setManifests(channels), () => undefined);
  }, []);

  const value = useMemo(
    () => ({ client, session, manifests, signOut, reloadSession, switchWorkspace }),
    [client, session, manifests, signOut, reloadSession, switchWorkspace],
  );
  return <SignedInProvider value={value}><Shown ready={ready} /></SignedInProvider>;
}

/** What there is to see of a workspace: itself, the way to it, or what it asks for first. */
function Shown({ ready }: { readonly ready: boolean }) {
  const route = useRoute();
  const mustEnrol = useMustEnrol();
  if (mustEnrol) return <Suspense fallback={<div className="boot" />}><MustEnrol section={route.page === "account" ? route.section : "security"} /></Suspense>;
  if (ready) return <Screen />;
  if (route.page !== "account") return <BootScreen />;
  return <Suspense fallback={<div className="boot" />}><AccountAlone section={route.section} /></Suspense>;
}

/** Whether the workspace keeps one out until one has a second factor; asked when the connection does not come. */
function useMustEnrol(): boolean {
  const client = useClient();
  const [mustEnrol, setMustEnrol] = useState(false);
  const { phase } = useSignal(client.connectionSignal);
  const stuck = phase === "waiting" || phase === "stopped";
  useEffect(() => {
    if (stuck) client.api.members().catch((error: unknown) => setMustEnrol(error instanceof ApiError && error.code === "second_factor_needed"));
  }, [client, stuck]);
  return mustEnrol;
}

function Screen() {
  const route = useRoute();
  const { session } = useSignedIn();
  if (route.page === "welcome") return <Suspense fallback={<div className="boot" />}><Welcome /></Suspense>;
  const page = () => {
    if (route.page === "inbox") return <InboxPage route={route} />;
    if (route.page === "home") return <HomePage />;
    if (route.page === "notices") return <NoticesPage />;
    if (route.page === "operator") return <Operator workspace={route.workspace} />;
    if (route.page === "account") return <Account section={route.section} />;
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
      {session.entered !== undefined && session.entered !== null && <Suspense><EnteredBanner entered={session.entered} /></Suspense>}
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
