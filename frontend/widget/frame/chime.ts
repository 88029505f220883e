// Whether new messages are heard, off until the visitor turns it on. The sound itself comes with the files.
import type { Keep } from "./environment.ts";
import { plug } from "./plug.ts";

export interface Chime {
  on(): boolean;
  /** Called from the visitor's click, which is what lets a page make sound; plays it once when turned on. */
  toggle(): void;
  play(): unknown;
}

export function openChime(keep: Keep): Chime {
  const on = () => !!keep.get("sound");
  const play = () => on() && plug.play();
  return {
    on,
    toggle() {
      keep.set("sound", on() ? null : "1");
      play();
    },
    play,
  };
}
