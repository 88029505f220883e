// The new-message sound, off until the visitor turns it on. Two sine tones, no file to load.
import type { Keep } from "./environment.ts";

export class Chime {
  #context: AudioContext | null = null;

  readonly #keep: Keep;

  constructor(keep: Keep) {
    this.#keep = keep;
  }

  get on(): boolean {
    return this.#keep.get("sound") === "1";
  }

  /** Called from the visitor's click, which is what lets a page make sound; plays it once when turned on. */
  toggle(): void {
    this.#keep.set("sound", this.on ? null : "1");
    this.play();
  }

  play(): void {
    if (!this.on) return;
    const context = (this.#context ??= new AudioContext());
    // After a reload the browser holds sound back until the first click; then there is none, silently.
    void context.resume().then(() => [660, 880].forEach((hertz, at) => this.#tone(context, hertz, at * 0.12)));
  }

  #tone(context: AudioContext, hertz: number, delay_s: number): void {
    const start = context.currentTime + delay_s;
    const gain = context.createGain();
    const tone = context.createOscillator();
    tone.frequency.value = hertz;
    gain.gain.setValueAtTime(0.08, start);
    gain.gain.exponentialRampToValueAtTime(0.001, start + 0.25);
    tone.connect(gain).connect(context.destination);
    tone.start(start);
    tone.stop(start + 0.25);
  }
}
