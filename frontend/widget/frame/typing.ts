// Both ways of "is typing…": told while the visitor types, lit while the hub repeats it (docs/protocol.md §3, §4).
import type { Environment } from "./environment.ts";

const REPEAT_MS = 3000;
const IDLE_MS = 5000;
const EXPIRY_MS = 6000;

export class TypingTold {
  #told_at: number | null = null;
  #cancel = () => {};

  readonly #environment: Environment;
  readonly #tell: (on: boolean) => void;

  constructor(
    environment: Environment,
    tell: (on: boolean) => void,
  ) {
    this.#environment = environment;
    this.#tell = tell;
  }

  input(on: boolean): void {
    this.#cancel();
    if (!on) {
      if (this.#told_at !== null) this.#tell(false);
      this.#told_at = null;
      return;
    }
    const now = this.#environment.now();
    if (this.#told_at === null || now - this.#told_at >= REPEAT_MS) {
      this.#told_at = now;
      this.#tell(true);
    }
    this.#cancel = this.#environment.after(IDLE_MS, () => this.input(false));
  }
}

export class TypingLamp {
  #on = false;
  #cancel = () => {};

  readonly #environment: Environment;
  readonly #changed: (on: boolean) => void;

  constructor(
    environment: Environment,
    changed: (on: boolean) => void,
  ) {
    this.#environment = environment;
    this.#changed = changed;
  }

  set(on: boolean): void {
    this.#cancel();
    if (on) this.#cancel = this.#environment.after(EXPIRY_MS, () => this.set(false));
    if (on === this.#on) return;
    this.#on = on;
    this.#changed(on);
  }
}
