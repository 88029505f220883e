/** The home page's numbers, read anew when something happens: at most every two seconds, however much happens. */
import { useCallback, useEffect, useRef, useState } from "react";
import { useClient } from "../context";
import { readHome } from "./calls";
import type { Home } from "./calls";

export const REST_MS = 2_000;

export interface HomeState {
  readonly home: Home | null;
  readonly problem: string;
  readonly reload: () => void;
}

export function useHome(): HomeState {
  const client = useClient();
  const [home, setHome] = useState<Home | null>(null);
  const [problem, setProblem] = useState("");
  const asked = useRef(0);

  const reload = useCallback((): void => {
    const mine = ++asked.current;
    readHome(client.workspaceId).then(
      (answer) => {
        if (mine !== asked.current) return;
        setHome(answer);
        setProblem("");
      },
      (error: Error) => mine === asked.current && setProblem(error.message),
    );
  }, [client]);

  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | null = null;
    const soon = (): void => {
      timer ??= setTimeout(() => {
        timer = null;
        reload();
      }, REST_MS);
    };
    reload();
    const stop = [
      client.feed.onApplied(soon),
      // After a snapshot there were no events, and whatever was missed is in it.
      client.connectionSignal.subscribe(() => client.connectionSignal.get().phase === "live" && soon()),
    ];
    return () => {
      for (const one of stop) one();
      if (timer !== null) clearTimeout(timer);
    };
  }, [client, reload]);
  return { home, problem, reload };
}
