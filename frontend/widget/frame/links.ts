// Finds http and https addresses in a text. Nothing else becomes a link, whatever its scheme claims.

export type Segment = { text: string; href: string | null };

const ADDRESS = /\bhttps?:\/\/[^\s<>"']+/gi;
const TRAILING = /[.,;:!?…»”’*_~\]}]$/;

export function splitLinks(text: string): Segment[] {
  const segments: Segment[] = [];
  let end = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = trim(match[0]);
    const href = safeHref(address);
    if (!href) continue;
    if (match.index > end) segments.push({ text: text.slice(end, match.index), href: null });
    segments.push({ text: address, href });
    end = match.index + address.length;
  }
  if (end < text.length) segments.push({ text: text.slice(end), href: null });
  return segments;
}

/** Cuts the sentence's own punctuation, and a bracket that was opened before the address, off its end. */
function trim(address: string): string {
  const foreign = TRAILING.test(address) || (address.endsWith(")") && !address.includes("("));
  return foreign ? trim(address.slice(0, -1)) : address;
}

function safeHref(address: string): string | null {
  try {
    const url = new URL(address);
    return /^https?:$/.test(url.protocol) ? url.href : null;
  } catch {
    return null;
  }
}
