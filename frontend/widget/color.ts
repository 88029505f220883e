// Colours people can read, from the one colour a workspace chooses.

export type Rgb = readonly [number, number, number];

const HEX = /^#?([\da-f]{2})([\da-f]{2})([\da-f]{2})$/i;

/** Parses `#rrggbb`; anything else gives null. */
export function parseHex(text: string | null | undefined): Rgb | null {
  const match = HEX.exec(text ?? "");
  return match && [parseInt(match[1]!, 16), parseInt(match[2]!, 16), parseInt(match[3]!, 16)];
}

/** Relative luminance, 0–1. Source: WCAG 2.2, "relative luminance". */
export function luminance(color: Rgb): number {
  const [red, green, blue] = color.map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}

export function contrast(one: Rgb, other: Rgb): number {
  const [dark, light] = [luminance(one), luminance(other)].sort((a, b) => a - b) as [number, number];
  return (light + 0.05) / (dark + 0.05);
}

/** White, or black where white on this colour would be under 4.5:1. One of the two always reaches 4.5. */
export function inkOn(color: Rgb): string {
  return 1.05 / (luminance(color) + 0.05) >= 4.5 ? "#fff" : "#000";
}
