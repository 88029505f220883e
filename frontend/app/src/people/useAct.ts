/** What the pages about people share: their calls, an action with its words of success or refusal, an answer that is asked for. */
import { useCallback, useEffect, useMemo, useState } from "react";
import { isCancelled, useStepUp } from "../account/StepUp";
import { useClient } from "../context";
import { showError, showToast } from "../ui/toasts";
import { peopleCalls } from "./calls";

export function usePeopleCalls(): ReturnType<typeof peopleCalls> {
  const { workspaceId } = useClient();
  return useMemo(() => peopleCalls(workspaceId), [workspaceId]);
}

/** Does something once at a time, asking for proof where the hub wants it; says how it went. Answers whether it worked. */
export function useAct(): { readonly busy: boolean; readonly act: (what: () => Promise<unknown>, done: string) => Promise<boolean> } {
  const withProof = useStepUp();
  const [busy, setBusy] = useState(false);
  const act = async (what: () => Promise<unknown>, done: string): Promise<boolean> => {
    setBusy(true);
    try {
      await withProof(what);
      showToast(done);
      return true;
    } catch (error) {
      if (!isCancelled(error)) showError(error);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return { busy, act };
}

interface Asked<Answer> {
  readonly answer: Answer | null;
  readonly problem: string;
  readonly reload: () => void;
}

/** Asks the hub, and again on `reload`; what was answered stays on screen meanwhile. `ask` must be stable. */
export function useAsked<Answer>(ask: () => Promise<Answer>): Asked<Answer> {
  const [answer, setAnswer] = useState<Answer | null>(null);
  const [problem, setProblem] = useState("");
  const [round, setRound] = useState(0);
  useEffect(() => {
    let current = true;
    ask().then(
      (found) => {
        if (!current) return;
        setProblem("");
        setAnswer(found);
      },
      (error: unknown) => current && setProblem(error instanceof Error ? error.message : "It could not be loaded."),
    );
    return () => {
      current = false;
    };
  }, [ask, round]);
  const reload = useCallback(() => setRound((held) => held + 1), []);
  return { answer, problem, reload };
}
