/** Decides which screen: set-up and links, sign-in, or the inbox of the chosen workspace. */
import { Suspense, lazy, useCallback, useEffect, useRef, useState } from "react";
import { StepUp } from "./account/StepUp";
import { ApiError, accountApi } from "./api";
import type { SessionAnswer } from "./api";
import { INBOX, currentRoute, navigate, useRoute } from "./router";
import type { Route } from "./router";
import { Problem } from "./ui/basics";
import { Toasts } from "./ui/toasts";
import { Workspace } from "./Workspace";
import { forgetMember } from "./lib/drafts";
import { setTimeZone } from "./lib/time";

const Setup = lazy(() => import("./entry/Setup").then((module) => ({ default: module.Setup })));
const SignIn = lazy(() => import("./entry/SignIn").then((module) => ({ default: module.SignIn })));
const PasswordLink = lazy(() => import("./entry/PasswordLink").then((module) => ({ default: module.PasswordLink })));

const AddressLink = lazy(() => import("./entry/AddressLink").then((module) => ({ default: module.AddressLink })));
const Verify = lazy(() => import("./entry/Verify").then((module) => ({ default: module.Verify })));
const InvitationPage = lazy(() => import("./entry/InvitationPage").then((module) => ({ default: module.InvitationPage })));
const SignUp = lazy(() => import("./entry/AskByMail").then((module) => ({ default: module.SignUp })));
const Forgot = lazy(() => import("./entry/AskByMail").then((module) => ({ default: module.Forgot })));
const SignedInAlready = lazy(() => import("./entry/AskByMail").then((module) => ({ default: module.SignedInAlready })));

/** Pages for whoever comes, signed in or not. */
const OPEN_PAGES: readonly Route["page"][] = ["change-address", "stop-address-change", "setup", "join", "reset", "verify", "invitation", "sign-up", "forgot"];
/** Where nobody wants to be once they are signed in. */
const NOT_WANTED: readonly Route["page"][] = ["change-address", "stop-address-change", "setup", "join", "reset", "verify", "sign-up", "forgot", "sign-in", "missing"];
const FOR_SIGNED_OUT: readonly Route["page"][] = ["sign-in", "sign-up", "forgot"];

type Session = SessionAnswer | "none" | "unknown" | { readonly problem: string };

export function App() {
  const route = useRoute();
  const [session, setSession] = useState<Session>("unknown");
  // Where they were going when they were asked to sign in.
  const wanted = useRef<Route>(INBOX);

  const load = useCallback(async (): Promise<void> => {
    try {
      const answer = await accountApi.session();
      setTimeZone(answer.login.time_zone);
      setSession(answer);
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) return setSession({ problem: String((error as Error).message) });
      setSession("none");
      const asked = currentRoute();
      if (OPEN_PAGES.includes(asked.page)) return;
      wanted.current = asked;
      const { needs_setup } = await accountApi.needsSetup().catch(() => ({ needs_setup: false }));
      navigate(needs_setup ? { page: "setup", token: "" } : { page: "sign-in" }, { replace: true });
    }
  }, []);

  useEffect(() => void load(), [load]);

  const signedOut = useCallback(() => {
    setSession("none");
    wanted.current = currentRoute();
    navigate({ page: "sign-in" }, { replace: true });
  }, []);

  // A socket closed for want of rights is not always a sign-out: the hub says which. A member let go keeps their other workspaces.
  const lost = useCallback(() => void load(), [load]);

  const signOut = useCallback(async () => {
    await accountApi.signOut().catch(() => undefined);
    forgetMember();
    signedOut();
    wanted.current = INBOX;
  }, [signedOut]);

  const signedIn = useCallback((answer: SessionAnswer) => {
    setTimeZone(answer.login.time_zone);
    setSession(answer);
    navigate(NOT_WANTED.includes(wanted.current.page) ? INBOX : wanted.current, { replace: true });
    wanted.current = INBOX;
  }, []);

  const toSignIn = useCallback(() => {
    wanted.current = currentRoute();
    navigate({ page: "sign-in" });
  }, []);

  const dropSession = useCallback(async () => {
    await accountApi.signOut().catch(() => undefined);
    forgetMember();
    setSession("none");
  }, []);

  const screen = () => {
    if (route.page === "setup") return <Setup token={route.token} onDone={load} />;
    if (route.page === "join" || route.page === "reset") return <PasswordLink purpose={route.page} token={route.token} onDone={signedIn} />;
    if (route.page === "change-address" || route.page === "stop-address-change") return <AddressLink key={route.page} purpose={route.page} token={route.token} />;
    if (route.page === "verify") return <Verify token={route.token} onDone={signedIn} />;
    if (session === "unknown") return <div className="boot" role="status" aria-label="Loading" />;
    if (route.page === "invitation" && (session === "none" || "login" in session)) {
      return <InvitationPage token={route.token} signedInAs={session === "none" ? null : session.login.email} onDone={signedIn} onSignIn={toSignIn} onSignOut={() => void dropSession()} />;
    }
    if (session === "none" && route.page === "sign-up") return <SignUp />;
    if (session === "none" && route.page === "forgot") return <Forgot />;
    if (session === "none") return <SignIn onDone={signedIn} />;
    if ("problem" in session) return <main className="entry"><Problem message={session.problem} onRetry={() => void load()} /></main>;
    if (FOR_SIGNED_OUT.includes(route.page)) return <SignedInAlready email={session.login.email} onSignOut={() => void dropSession()} />;
    return <Workspace session={session} onSignedOut={lost} signOut={() => void signOut()} reloadSession={load} />;
  };
  return (
    <>
      <Suspense fallback={<div className="boot" role="status" aria-label="Loading" />}>{screen()}</Suspense>
      <Toasts />
      <StepUp />
    </>
  );
}
