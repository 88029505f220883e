/** What a page reads from the hub: on its way, refused, or there. */
import { useCallback, useEffect, useState } from "react";

export interface Loaded<Value> {
  readonly value: Value | null;
  readonly problem: string;
  readonly reload: () => Promise<void>;
  readonly set: (value: Value) => void;
}

/** @param read must stay the same from one drawing to the next. */
export function useLoaded<Value>(read: () => Promise<Value>): Loaded<Value> {
  const [value, set] = useState<Value | null>(null);
  const [problem, setProblem] = useState("");
  const reload = useCallback(async (): Promise<void> => {
    setProblem("");
    try {
      set(await read());
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "That did not work.");
    }
  }, [read]);
  useEffect(() => void reload(), [reload]);
  return { value, problem, reload, set };
}
