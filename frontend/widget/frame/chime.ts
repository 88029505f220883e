// The new-message sound, off until the visitor turns it on. Two sine tones, no file to load.
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
    const start = context.currentTime;
    const gain = new GainNode(context, { gain: 0.08 });
    const tone = new OscillatorNode(context, { frequency: 660 });
    tone.frequency.setValueAtTime(880, start + 0.12);
    gain.gain.setTargetAtTime(0, start + 0.2, 0.06);
    tone.connect(gain).connect(context.destination);
    tone.start();
    tone.stop(start + 0.6);
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
