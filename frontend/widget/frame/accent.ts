// The one colour a workspace chooses, and what is readable on it. Text in that colour is the style sheet's business.
import type { Look } from "../bridge.ts";

const FALLBACK = "#245fd4";

/** White, or black where white on this colour would be under 4.5:1; one of the two always reaches that. */
export function inkOn(color: string): string {
  const [red, green, blue] = [1, 3, 5].map((at) => {
    const share = parseInt(color.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  // Relative luminance and contrast. Source: WCAG 2.2, definitions.
  const luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  return 1.05 / (luminance + 0.05) >= 4.5 ? "#fff" : "#000";
}

/** Sets the colours on the page; anything but `#rrggbb` is replaced by our blue. */
export function applyAccent({ style }: HTMLElement, wish: string): Omit<Look, "title"> {
  const color = /^#[\da-f]{6}$/i.test(wish) ? wish : FALLBACK;
  const ink = inkOn(color);
  style.setProperty("--accent", color);
  style.setProperty("--ink", ink);
  return { color, ink };
}
