/** How long a text is in a channel's own measure, SMS segments included. */
import type { Capabilities } from "../types.gen";

// GSM 03.38 default alphabet and its extension table (3GPP TS 23.038 §6.2.1); extended characters cost two.
const GSM_BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const GSM_EXTENDED = new Set("\f^{}\\[~]|€");

export interface Segments {
  readonly encoding: "GSM-7" | "UCS-2";
  readonly count: number;
  /** Units left in the last segment. */
  readonly left: number;
}

/**
 * Counts the SMS segments of a text: 160 septets alone or 153 each when split; 70 or 67 UTF-16 units in UCS-2.
 * A character never straddles two segments.
 */
export function smsSegments(text: string): Segments {
  const characters = Array.from(text);
  const gsm = characters.every((character) => GSM_BASIC.has(character) || GSM_EXTENDED.has(character));
  const cost = (character: string): number => (gsm ? (GSM_EXTENDED.has(character) ? 2 : 1) : character.length);
  const [alone, split] = gsm ? [160, 153] : [70, 67];
  const encoding = gsm ? "GSM-7" : "UCS-2";
  const total = characters.reduce((sum, character) => sum + cost(character), 0);
  if (total <= alone) return { encoding, count: total === 0 ? 0 : 1, left: alone - total };
  let count = 1;
  let used = 0;
  for (const character of characters) {
    if (used + cost(character) > split) {
      count += 1;
      used = 0;
    }
    used += cost(character);
  }
  return { encoding, count, left: split - used };
}

/** The length of a text in the channel's unit. */
export function textLength(text: string, unit: Capabilities["text_limit_unit"]): number {
  if (unit === "utf16") return text.length;
  return unit === "bytes" ? new TextEncoder().encode(text).length : Array.from(text).length;
}

/** Up to two letters to stand for a name. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined].map((word) => /[\p{L}\p{N}]/u.exec(word ?? "")?.[0] ?? "");
  return letters.join("").toUpperCase();
}

/** A hue that stays with an id. */
export function hueOf(id: string): number {
  let hash = 0;
  for (const character of id) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 3600;
  return (hash % 24) * 15;
}

export const plural = (count: number, one: string, many = `${one}s`): string => `${count.toLocaleString()} ${count === 1 ? one : many}`;
