/** The state of the telephone in this browser: one account, one call at a time. No screen and no vendor. */
import { Signal } from "../../sync/signal";
import type { SoftphoneView, Uuid } from "../../types.gen";
import type { Line, OpenLine, Talk } from "./line";

export interface TelephoneState {
  /** `ringing`: somebody calls; `calling`: we do, and nobody has answered yet. */
  readonly phase: "off" | "opening" | "ready" | "ringing" | "calling" | "talking";
  /** Who is on the other side, as shown. */
  readonly who: string;
  /** When the two were put through, milliseconds since 1970. */
  readonly since_ms: number | null;
  readonly muted: boolean;
  readonly problem: string;
}

const IDLE = { who: "", since_ms: null, muted: false } as const;

/** The telephone that is on, for whoever wants to call with it. */
export const telephone = new Signal<Telephone | null>(null);

export class Telephone {
  readonly state = new Signal<TelephoneState>({ phase: "off", ...IDLE, problem: "" });
  private line: Line | null = null;
  private talk: Talk | null = null;
  private closed = false;

  constructor(
    readonly accountId: Uuid,
    private readonly sign: () => Promise<SoftphoneView>,
    private readonly open: (library: SoftphoneView["library"]) => Promise<OpenLine>,
    private readonly now_ms: () => number = Date.now,
  ) {}

  /** Signs in; a failure is told in `problem`, and the telephone stays off. */
  async turnOn(): Promise<void> {
    if (this.state.get().phase !== "off") return;
    this.closed = false;
    this.set({ phase: "opening", problem: "" });
    try {
      const { token, library } = await this.sign();
      const open = await this.open(library);
      const line = await open(token, {
        ringing: (talk, from) => this.ring(talk, from),
        talking: () => this.set({ phase: "talking", since_ms: this.now_ms() }),
        ended: (problem) => this.end(problem),
        tokenEnds: () => void this.renew(),
        broken: (problem) => this.turnOff(problem),
      });
      if (this.closed) return line.close();
      this.line = line;
      this.set({ phase: "ready" });
      telephone.set(this);
    } catch (error) {
      this.turnOff(error instanceof Error ? error.message : "The telephone could not be turned on.");
    }
  }

  turnOff(problem = ""): void {
    this.closed = true;
    this.talk?.hangUp();
    this.line?.close();
    this.talk = this.line = null;
    if (telephone.get() === this) telephone.set(null);
    this.state.set({ phase: "off", ...IDLE, problem });
  }

  /** Calls with what the hub sealed; only a telephone that is ready does. */
  async call(order: string, who: string): Promise<void> {
    if (this.line === null || this.state.get().phase !== "ready") throw new Error("The telephone is not free.");
    this.set({ phase: "calling", who, problem: "" });
    try {
      this.talk = await this.line.call(order);
    } catch (error) {
      this.end(error instanceof Error ? error.message : "The call could not be made.");
    }
  }

  accept(): void {
    this.talk?.accept();
  }

  reject(): void {
    this.talk?.reject();
    this.end("");
  }

  hangUp(): void {
    this.talk?.hangUp();
    this.end("");
  }

  mute(on: boolean): void {
    this.talk?.mute(on);
    this.set({ muted: on });
  }

  private ring(talk: Talk, from: string): void {
    // One at a time: whoever calls meanwhile rings at the next member.
    if (this.state.get().phase !== "ready") return talk.reject();
    this.talk = talk;
    this.set({ phase: "ringing", who: from, problem: "" });
  }

  private end(problem: string): void {
    const { phase } = this.state.get();
    if (phase === "off" || phase === "opening" || (phase === "ready" && problem === "")) return;
    this.talk = null;
    this.set({ phase: "ready", ...IDLE, problem });
  }

  private async renew(): Promise<void> {
    try {
      const { token } = await this.sign();
      this.line?.renew(token);
    } catch (error) {
      this.set({ problem: error instanceof Error ? error.message : "The telephone turns off soon." });
    }
  }

  private set(change: Partial<TelephoneState>): void {
    this.state.set({ ...this.state.get(), ...change });
  }
}
