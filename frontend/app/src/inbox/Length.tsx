/** The length of what is written, by the channel's capabilities; quiet until it matters. */
import { plural, smsSegments, textLength } from "../lib/text";
import type { Capabilities } from "../types.gen";

const TEXT_LIMIT_CHARS = 20_000;
const NEAR = 0.8;

type Measured = Pick<Capabilities, "text_limit" | "text_limit_unit" | "segments">;

const NOTE: Measured = { text_limit: TEXT_LIMIT_CHARS, text_limit_unit: "chars", segments: false };

export function tooLong(text: string, capabilities: Measured | undefined): boolean {
  const { text_limit, text_limit_unit } = capabilities ?? NOTE;
  return textLength(text, text_limit_unit) > Math.min(text_limit, TEXT_LIMIT_CHARS);
}

export function Length({ text, capabilities }: { readonly text: string; readonly capabilities: Measured | undefined }) {
  const { text_limit, text_limit_unit, segments } = capabilities ?? NOTE;
  const length = textLength(text, text_limit_unit);
  if (length > text_limit) return <span className="length length-over" role="alert">{(length - text_limit).toLocaleString()} too long</span>;
  if (segments && text !== "") {
    const { count, left, encoding } = smsSegments(text);
    const title = encoding === "UCS-2" ? "A character outside the GSM alphabet makes each segment shorter." : "GSM alphabet";
    return <span className="length" title={title}>{plural(count, "segment")} · {left} left · {encoding}</span>;
  }
  return length > text_limit * NEAR ? <span className="length">{(text_limit - length).toLocaleString()} left</span> : null;
}
