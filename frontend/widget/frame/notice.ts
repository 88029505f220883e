// What the visitor is told about the connection, in their terms: nothing for a short loss, words for a long one.
import type { Environment } from "./environment.ts";
import type { ChatState } from "./state.ts";

const PATIENCE_MS = 3000;
const BACK_MS = 4000;

export class Notice {
  #shown: ChatState["notice"] = null;
  #cancel = () => {};

  readonly #environment: Environment;
  readonly #changed: (notice: ChatState["notice"]) => void;

  constructor(
    environment: Environment,
    changed: (notice: ChatState["notice"]) => void,
  ) {
    this.#environment = environment;
    this.#changed = changed;
  }

  missing(): void {
    const offline = !this.#environment.online();
    this.#cancel();
    if (offline || (this.#shown && this.#shown !== "back")) this.#show(offline ? "offline" : "lost");
    else this.#cancel = this.#environment.after(PATIENCE_MS, () => this.#show("lost"));
  }

  returned(): void {
    this.#cancel();
    if (!this.#shown) return;
    this.#show("back");
    this.#cancel = this.#environment.after(BACK_MS, () => this.#show(null));
  }

  clear(): void {
    this.#cancel();
    this.#show(null);
  }

  #show(notice: ChatState["notice"]): void {
    if (notice === this.#shown) return;
    this.#shown = notice;
    this.#changed(notice);
  }
}
