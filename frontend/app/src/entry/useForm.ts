import { useEffect, useState } from "react";
import type { FormEvent } from "react";
import { ApiError } from "../api";
import { PasskeyRefused } from "../lib/passkey";

interface Form {
  readonly busy: boolean;
  /** What is wrong with a field, in the hub's words. */
  readonly problemOf: (field: string) => string;
  /** What is wrong with none of the named fields. */
  readonly general: string;
  /** How long the hub takes no further try; 0 where one may try. */
  readonly wait_s: number;
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
  const [wait_s, setWait] = useCountdown();
  const named = error?.field != null && fields.includes(error.field);
  const run = async (): Promise<void> => {
    setBusy(true);
    setError(null);
    try {
      await send();
    } catch (refusal) {
      const shown = toShow(refusal);
      setError(shown);
      if (shown.status === 429) setWait(Math.ceil(shown.retry_after_s ?? 0));
    }
    setBusy(false);
  };
  return {
    busy, wait_s,
    problemOf: (field) => (named && error?.field === field ? error.message : ""),
    general: error === null || named ? "" : error.message,
    onSubmit: (event) => {
      event.preventDefault();
      if (wait_s === 0) void run();
    },
  };
}

/** Says when one may try again, in words. */
export const inWords = (wait_s: number): string =>
  (wait_s < 90 ? `${wait_s} ${wait_s === 1 ? "second" : "seconds"}` : `${Math.ceil(wait_s / 60)} minutes`);

function useCountdown(): readonly [number, (seconds: number) => void] {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    if (left <= 0) return;
    const timer = setTimeout(() => setLeft(left - 1), 1_000);
    return () => clearTimeout(timer);
  }, [left]);
  return [left, setLeft];
}

function toShow(refusal: unknown): ApiError {
  if (refusal instanceof ApiError) return refusal;
  return new ApiError(0, "internal", refusal instanceof PasskeyRefused ? refusal.message : "That did not work. Try again.");
}
