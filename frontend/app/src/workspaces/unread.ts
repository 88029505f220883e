/** How much is unread in one's workspaces: asked when the page starts, comes back, and every two minutes while it is seen. */
import { Signal } from "../sync/signal";
import { workspaceCalls } from "./calls";

export const EVERY_MS = 120_000;

type Numbers = Readonly<Record<number, number>>;

class Unread {
  private readonly signal = new Signal<Numbers>({});
  readonly get = this.signal.get;
  readonly subscribe = this.signal.subscribe;

  /** A failure leaves what was known: it is a hint, the workspace itself tells. */
  readonly refresh = (): void => {
    workspaceCalls.unread().then(
      ({ workspaces }) => this.signal.set(Object.fromEntries(workspaces.map((one) => [one.workspace_id, one.unread]))),
      () => undefined,
    );
  };

  /** Keeps the numbers fresh while there is more than one workspace; returns how to stop. */
  follow(workspaces: number): () => void {
    if (workspaces < 2) return () => undefined;
    const ifShown = (): void => {
      if (document.visibilityState === "visible") this.refresh();
    };
    ifShown();
    const timer = setInterval(ifShown, EVERY_MS);
    document.addEventListener("visibilitychange", ifShown);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", ifShown);
    };
  }
}

export const unreadElsewhere = new Unread();
