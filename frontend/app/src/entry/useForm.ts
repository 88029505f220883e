import { useState } from "react";
import type { FormEvent } from "react";
import { ApiError } from "../api";

interface Form {
  readonly busy: boolean;
  /** What is wrong with a field, in the hub's words. */
  readonly problemOf: (field: string) => string;
  /** What is wrong with none of the named fields. */
  readonly general: string;
  readonly onSubmit: (event: FormEvent) => void;
}

/**
 * Sends a form and sorts the answer: a refusal goes to the field it names, or above the button.
 *
 * @param fields names of the fields that can show a complaint.
 */
export function useForm(fields: readonly string[], send: () => Promise<void>): Form {
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError | null>(null);
  const named = error?.field != null && fields.includes(error.field);
  const run = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await send();
    } catch (refusal) {
      setError(refusal instanceof ApiError ? refusal : new ApiError(0, "internal", "That did not work. Try again."));
    }
    setBusy(false);
  };
  return {
    busy,
    problemOf: (field) => (named && error?.field === field ? error.message : ""),
    general: error !== null && !named ? error.message : "",
    onSubmit: (event) => {
      event.preventDefault();
      void run();
    },
  };
}
