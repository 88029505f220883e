/** Loads something once and again when asked, with its failure in words. */
import { useCallback, useEffect, useState } from "react";

export interface Loaded<Value> {
  readonly value: Value | null;
  readonly problem: string;
  readonly load: () => void;
  readonly set: (value: Value) => void;
}

export function useLoad<Value>(read: () => Promise<Value>): Loaded<Value> {
  const [value, set] = useState<Value | null>(null);
  const [problem, setProblem] = useState("");
  const load = useCallback(() => {
    setProblem("");
    read().then(set, (error: Error) => setProblem(error.message));
  }, [read]);
  useEffect(load, [load]);
  return { value, problem, load, set };
}
