/** Text with its web addresses as links; nothing else is interpreted. */
const ADDRESS = /https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]}]/g;

export function Linked({ text }: { readonly text: string }) {
  const parts: React.ReactNode[] = [];
  let from = 0;
  for (const match of text.matchAll(ADDRESS)) {
    parts.push(text.slice(from, match.index));
    parts.push(<a key={match.index} href={match[0]} target="_blank" rel="noopener noreferrer nofollow">{match[0]}</a>);
    from = match.index + match[0].length;
  }
  return <>{parts}{text.slice(from)}</>;
}
