// What the visitor is told about the connection, in their terms: nothing for a short loss, words for a long one.
import type { Environment } from "./environment.ts";

const PATIENCE_MS = 3000;
const BACK_MS = 4000;

export type NoticeKind = "offline" | "lost" | "back" | null;

export interface Notice {
  missing(): void;
  returned(): void;
}

export function openNotice({ after, online }: Environment, changed: (kind: NoticeKind) => void): Notice {
  let shown: NoticeKind = null;
  let cancel: (() => void) | undefined;

  function stop(): void {
    cancel?.();
    cancel = undefined;
  }

  function show(kind: NoticeKind): void {
    shown = kind;
    changed(kind);
  }

  return {
    missing() {
      if (shown === "back") stop();
      if (!online()) show("offline");
      else if (shown && shown !== "back") show("lost");
      // Failing again does not make the loss any younger.
      else cancel ??= after(PATIENCE_MS, () => show("lost"));
    },
    returned() {
      stop();
      if (!shown) return;
      show("back");
      cancel = after(BACK_MS, () => show(null));
    },
  };
}
