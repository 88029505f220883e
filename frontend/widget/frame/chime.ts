// The new-message sound, off until the visitor turns it on. A short sine tone, no file to load.
import type { Keep } from "./environment.ts";

export interface Chime {
  on(): boolean;
  /** Called from the visitor's click, which is what lets a page make sound; plays it once when turned on. */
  toggle(): void;
  play(): void;
}

export function openChime(keep: Keep): Chime {
  let context: AudioContext | undefined;
  const on = () => !!keep.get("sound");

  async function play(): Promise<void> {
    if (!on()) return;
    context ??= new AudioContext();
    // After a reload the browser holds sound back until the first click; until then there is none, silently.
    await context.resume();
    const gain = new GainNode(context, { gain: 0.08 });
    const tone = new OscillatorNode(context, { frequency: 660 });
    gain.gain.setTargetAtTime(0, context.currentTime, 0.1);
    tone.connect(gain).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.6);
  }

  return {
    on,
    toggle() {
      keep.set("sound", on() ? null : "1");
      void play();
    },
    play,
  };
}
