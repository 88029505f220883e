/**
 * Dangerous calls: where the hub asks who one is, a dialog asks the member, and the call is made once more.
 * `const withProof = useStepUp(); await withProof(() => call(...))`. The dialog itself is shown by App, and loaded then.
 */
import { Suspense, lazy } from "react";
import { ApiError } from "../api";
import type { ProofMethod } from "../api";
import { useSignal } from "../context";
import { Signal } from "../sync/signal";

const StepUpDialog = lazy(() => import("./StepUpDialog").then((module) => ({ default: module.StepUpDialog })));

interface Question {
  readonly methods: readonly ProofMethod[];
  readonly answer: (proved: boolean) => void;
}

const question = new Signal<Question | null>(null);
// Two calls refused at once are answered by one proof.
let asking: Promise<boolean> | null = null;

type WithProof = <Answer>(send: () => Promise<Answer>) => Promise<Answer>;

/** What a page wraps its dangerous calls in; a member who closes the dialog gives an ApiError with code "proof_cancelled". */
export const useStepUp = (): WithProof => withProof;

/** True for the refusal of a member who closed the dialog: nothing to be told of. */
export const isCancelled = (error: unknown): boolean => error instanceof ApiError && error.code === "proof_cancelled";

async function withProof<Answer>(send: () => Promise<Answer>): Promise<Answer> {
  try {
    return await send();
  } catch (error) {
    if (!(error instanceof ApiError) || error.code !== "proof_needed") throw error;
    asking ??= ask(error.methods);
    if (!(await asking)) throw new ApiError(0, "proof_cancelled", "Nothing was changed.");
    return send();
  }
}

function ask(methods: readonly ProofMethod[]): Promise<boolean> {
  return new Promise((resolve) => {
    question.set({
      methods,
      answer: (proved) => {
        asking = null;
        question.set(null);
        resolve(proved);
      },
    });
  });
}

/** Shows the dialog while a call waits for a proof; once in the app. */
export function StepUp() {
  const asked = useSignal(question);
  if (asked === null) return null;
  return <Suspense fallback={null}><StepUpDialog methods={asked.methods} onProved={() => asked.answer(true)} onClose={() => asked.answer(false)} /></Suspense>;
}
