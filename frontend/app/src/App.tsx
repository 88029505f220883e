/** Decides which screen: set-up and links, sign-in, or the inbox of the chosen workspace. */
import { Suspense, lazy, useCallback, useEffect, useRef, useState } from "react";
import { ApiError, accountApi } from "./api";
import type { SessionAnswer } from "./api";
import { INBOX, LINK_PAGES, currentRoute, navigate, useRoute } from "./router";
import type { Route } from "./router";
import { Problem } from "./ui/basics";
import { Toasts } from "./ui/toasts";
import { Workspace } from "./Workspace";
import { forgetMember } from "./lib/drafts";

const Setup = lazy(() => import("./entry/Setup").then((module) => ({ default: module.Setup })));
const SignIn = lazy(() => import("./entry/SignIn").then((module) => ({ default: module.SignIn })));
const SignUp = lazy(() => import("./entry/SignUp").then((module) => ({ default: module.SignUp })));
const Forgot = lazy(() => import("./entry/Forgot").then((module) => ({ default: module.Forgot })));
const Verify = lazy(() => import("./entry/Verify").then((module) => ({ default: module.Verify })));
const Invitation = lazy(() => import("./entry/Invitation").then((module) => ({ default: module.Invitation })));
const PasswordLink = lazy(() => import("./entry/PasswordLink").then((module) => ({ default: module.PasswordLink })));

type Session = SessionAnswer | "none" | "unknown" | { readonly problem: string };

export function App() {
  const route = useRoute();
  const [session, setSession] = useState<Session>("unknown");

  /** Where somebody was going when they had to sign in. */
  const wanted = useRef<Route>(INBOX);

  const load = useCallback(async (): Promise<void> => {
    try {
      setSession(await accountApi.session());
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) return setSession({ problem: String((error as Error).message) });
      setSession("none");
      const { page } = currentRoute();
      if (page === "sign-up" || page === "forgot" || LINK_PAGES.some((one) => one === page)) return;
      const { needs_setup } = await accountApi.needsSetup().catch(() => ({ needs_setup: false }));
      if (needs_setup) return navigate({ page: "setup", token: "" }, { replace: true });
      if (page !== "sign-in") wanted.current = currentRoute();
      navigate({ page: "sign-in" }, { replace: true });
    }
  }, []);

  useEffect(() => void load(), [load]);

  const signedOut = useCallback(() => {
    setSession("none");
    navigate({ page: "sign-in" }, { replace: true });
  }, []);

  /** Ends the session and stays at this address. */
  const leave = useCallback(async () => {
    await accountApi.signOut().catch(() => undefined);
    forgetMember();
    setSession("none");
  }, []);

  const signOut = useCallback(async () => {
    await leave();
    signedOut();
  }, [leave, signedOut]);

  const signedIn = useCallback((answer: SessionAnswer) => {
    setSession(answer);
    navigate(wanted.current, { replace: true });
    wanted.current = INBOX;
  }, []);

  const boot = <div className="boot" role="status" aria-label="Loading" />;
  const screen = () => {
    if (route.page === "setup") return <Setup token={route.token} onDone={load} />;
    if (route.page === "join" || route.page === "reset") return <PasswordLink purpose={route.page} token={route.token} onDone={signedIn} />;
    if (route.page === "verify") return <Verify token={route.token} onDone={signedIn} />;
    if (route.page === "invitation") {
      const signedInAs = typeof session === "object" && "login" in session ? session.login.email : null;
      return session === "unknown" ? boot : <Invitation token={route.token} signedInAs={signedInAs} onDone={signedIn} signOut={leave} />;
    }
    if (session === "none" && route.page === "sign-up") return <SignUp />;
    if (session === "none" && route.page === "forgot") return <Forgot />;
    if (session === "unknown") return boot;
    if (session === "none") return <SignIn onDone={signedIn} />;
    if ("problem" in session) return <main className="entry"><Problem message={session.problem} onRetry={() => void load()} /></main>;
    return <Workspace session={session} onSignedOut={signedOut} signOut={() => void signOut()} />;
  };
  return (
    <>
      <Suspense fallback={boot}>{screen()}</Suspense>
      <Toasts />
    </>
  );
}
