// Sets the workspace's colour on the frame's page, readable on light and dark.
import { contrast, inkOn, luminance, parseHex, type Rgb } from "../color.ts";
import type { Look } from "../bridge.ts";

const FALLBACK: Rgb = [0x24, 0x5f, 0xd4];
const LIGHT: Rgb = [0xfe, 0xfd, 0xfc];
const DARK: Rgb = [0x19, 0x17, 0x14];

/** Moves a colour towards black or white until it has 4.5:1 on the background. */
export function readableOn(background: Rgb, color: Rgb): Rgb {
  const target = luminance(background) > 0.18 ? 0 : 255;
  let result = color;
  for (let step = 0; step < 20 && contrast(result, background) < 4.5; step++) {
    result = result.map((part) => Math.round(part + (target - part) * 0.15)) as unknown as Rgb;
  }
  return result;
}

export function applyAccent(root: HTMLElement, color: string): Omit<Look, "title"> {
  const accent = parseHex(color) ?? FALLBACK;
  const css = (part: Rgb) => `rgb(${part.join(" ")})`;
  const ink = inkOn(accent);
  root.style.setProperty("--accent", css(accent));
  root.style.setProperty("--ink", ink);
  root.style.setProperty("--text-light", css(readableOn(LIGHT, accent)));
  root.style.setProperty("--text-dark", css(readableOn(DARK, accent)));
  return { color: css(accent), ink };
}
