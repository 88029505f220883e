import { useCallback, useEffect, useRef } from "react";
import { useClient } from "../context";
import type { WritingKind } from "../sync/frames";

const REPEAT_MS = 3_000;
const IDLE_MS = 4_000;

/** Tells the others that one types: again every 3 s while it goes on, off after 4 s of rest. */
export function useTypingSignal(conversationId: string, kind: WritingKind): (typing: boolean) => void {
  const client = useClient();
  const told = useRef<{ at_ms: number; kind: WritingKind } | null>(null);
  const idle = useRef<ReturnType<typeof setTimeout> | null>(null);

  const signal = useCallback((typing: boolean): void => {
    if (idle.current !== null) clearTimeout(idle.current);
    const last = told.current;
    if (!typing) {
      if (last !== null) client.typing(conversationId, false, last.kind);
      told.current = null;
      return;
    }
    idle.current = setTimeout(() => signal(false), IDLE_MS);
    if (last !== null && last.kind === kind && Date.now() - last.at_ms < REPEAT_MS) return;
    if (last !== null && last.kind !== kind) client.typing(conversationId, false, last.kind);
    client.typing(conversationId, true, kind);
    told.current = { at_ms: Date.now(), kind };
  }, [client, conversationId, kind]);

  useEffect(() => () => signal(false), [signal]);
  return signal;
}
