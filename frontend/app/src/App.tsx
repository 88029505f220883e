/** Decides which screen: set-up and links, sign-in, or the inbox of the chosen workspace. */
import { Suspense, lazy, useCallback, useEffect, useState } from "react";
import { ApiError, accountApi } from "./api";
import type { SessionAnswer } from "./api";
import { INBOX, currentRoute, navigate, useRoute } from "./router";
import { Problem } from "./ui/basics";
import { Toasts } from "./ui/toasts";
import { Workspace } from "./Workspace";
import { forgetMember } from "./lib/drafts";

const Setup = lazy(() => import("./entry/Setup").then((module) => ({ default: module.Setup })));
const SignIn = lazy(() => import("./entry/SignIn").then((module) => ({ default: module.SignIn })));
const PasswordLink = lazy(() => import("./entry/PasswordLink").then((module) => ({ default: module.PasswordLink })));

type Session = SessionAnswer | "none" | "unknown" | { readonly problem: string };

export function App() {
  const route = useRoute();
  const [session, setSession] = useState<Session>("unknown");

  const load = useCallback(async (): Promise<void> => {
    try {
      setSession(await accountApi.session());
    } catch (error) {
      if (!(error instanceof ApiError) || error.status !== 401) return setSession({ problem: String((error as Error).message) });
      setSession("none");
      const { page } = currentRoute();
      if (page === "setup" || page === "join" || page === "reset") return;
      const { needs_setup } = await accountApi.needsSetup().catch(() => ({ needs_setup: false }));
      navigate(needs_setup ? { page: "setup", token: "" } : { page: "sign-in" }, { replace: true });
    }
  }, []);

  useEffect(() => void load(), [load]);

  const signedOut = useCallback(() => {
    setSession("none");
    navigate({ page: "sign-in" }, { replace: true });
  }, []);

  const signOut = useCallback(async () => {
    await accountApi.signOut().catch(() => undefined);
    forgetMember();
    signedOut();
  }, [signedOut]);

  const signedIn = useCallback((answer: SessionAnswer) => {
    setSession(answer);
    navigate(INBOX, { replace: true });
  }, []);

  const screen = () => {
    if (route.page === "setup") return <Setup token={route.token} onDone={load} />;
    if (route.page === "join" || route.page === "reset") return <PasswordLink purpose={route.page} token={route.token} onDone={signedIn} />;
    if (session === "unknown") return <div className="boot" role="status" aria-label="Loading" />;
    if (session === "none") return <SignIn onDone={signedIn} />;
    if ("problem" in session) return <main className="entry"><Problem message={session.problem} onRetry={() => void load()} /></main>;
    return <Workspace session={session} onSignedOut={signedOut} signOut={() => void signOut()} />;
  };
  return (
    <>
      <Suspense fallback={<div className="boot" role="status" aria-label="Loading" />}>{screen()}</Suspense>
      <Toasts />
    </>
  );
}
