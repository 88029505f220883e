/** Names and addresses of mail, as people write them. Pure. */
import type { Party } from "../types.gen";

export const partyName = (party: Party): string => (party.name === "" ? party.address : party.name);

export const partyText = ({ name, address }: Party): string => (name === "" ? address : `${name} <${address}>`);

const ADDRESS = /^[^\s@<>,;"]+@[^\s@<>,;"]+\.[^\s@<>,;"]+$/;

export interface Parsed {
  readonly parties: readonly Party[];
  /** Parts that are not addresses. */
  readonly wrong: readonly string[];
}

/**
 * Reads a list like `Ana <ana@example.com>, bo@example.com`; also what is pasted with semicolons or one a line.
 *
 * @returns each address once, in order, and what could not be read.
 */
export function parseParties(text: string): Parsed {
  const parties = new Map<string, Party>();
  const wrong: string[] = [];
  // Commas inside quotes or angle brackets belong to a name.
  for (const part of text.match(/(?:"[^"]*"|<[^>]*>|[^,;\n"<])+/g) ?? []) {
    const piece = part.trim();
    if (piece === "") continue;
    const [, name = "", inside = piece] = /^(.*?)<([^>]*)>$/.exec(piece) ?? [];
    const address = inside.trim();
    if (ADDRESS.test(address)) parties.set(address.toLowerCase(), { name: name.trim().replace(/^"|"$/g, ""), address });
    else wrong.push(piece);
  }
  return { parties: [...parties.values()], wrong };
}
