/** What a file is called, how large it is in words, and whether a channel takes it. Pure. */
import type { Capabilities } from "../types.gen";
import type { IconName } from "../ui/icons";

const COUNT_LIMIT = 10;
const STEPS = ["bytes", "KB", "MB", "GB"] as const;
const ICONS: Readonly<Record<string, IconName>> = { image: "image", video: "video", audio: "audio" };

/** A size as people say it: "3.4 MB". */
export function sizeText(bytes: number): string {
  let value = bytes;
  let step = 0;
  while (value >= 1000 && step < STEPS.length - 1) {
    value /= 1000;
    step += 1;
  }
  return `${step === 0 || value >= 100 ? Math.round(value) : value.toFixed(1).replace(/\.0$/, "")} ${STEPS[step]}`;
}

export const kindIcon = (kind: string): IconName => ICONS[kind] ?? "file";

/**
 * Says why a channel would not take a file, before it is uploaded; the hub checks again.
 *
 * @param count how many files the message has already.
 * @returns the reason in words, or "".
 */
export function refusal(file: Pick<File, "name" | "size" | "type">, count: number, capabilities: Capabilities | undefined): string {
  const most = capabilities?.attachment_limit_count || COUNT_LIMIT;
  if (count >= most) return most === 1 ? "This channel sends one file a message." : `A message takes ${most} files at most.`;
  if (file.size === 0) return "The file is empty.";
  if (capabilities === undefined) return "";
  const { attachment_limit_bytes: limit, attachment_mimes: mimes } = capabilities;
  if (limit > 0 && file.size > limit) return `This channel takes files up to ${sizeText(limit)}. This one has ${sizeText(file.size)}.`;
  if (mimes.length > 0 && file.type !== "" && !mimes.some((pattern) => fits(pattern, file.type))) return "This channel does not take files of this kind.";
  return "";
}

/** The `accept` of a file dialog. */
export const acceptOf = (capabilities: Capabilities | undefined): string => capabilities?.attachment_mimes.join(",") ?? "";

function fits(pattern: string, mime: string): boolean {
  return pattern.endsWith("/*") ? mime.startsWith(pattern.slice(0, -1)) : pattern === mime;
}
