/** What to call people and channels where the data leaves it open. */
import type { Contact, ContactIdentity, ChannelView, Member } from "../types.gen";

const SCHEMES: Readonly<Record<string, string>> = { phone: "Phone", email: "E-mail", visitor: "Visitor", external: "Customer ID" };

export const schemeName = (scheme: string): string => SCHEMES[scheme] ?? scheme.charAt(0).toUpperCase() + scheme.slice(1).replaceAll("_", " ");

/** A contact's name, else an address people can read, else "Visitor 4f2a". */
export function contactName(contact: Contact | undefined): string {
  if (contact === undefined) return "Unknown contact";
  if (contact.name !== "") return contact.name;
  const readable = contact.identities.find((identity) => identity.scheme === "phone" || identity.scheme === "email");
  if (readable !== undefined) return readable.value;
  return `Visitor ${contact.id.slice(-4)}`;
}

/** An identity's value as a person reads it: opaque visitor ids are cut short. */
export function identityValue({ scheme, value }: ContactIdentity): string {
  return scheme === "visitor" && value.length > 14 ? `…${value.slice(-8)}` : value;
}

export const memberName = (member: Member | undefined): string => (member === undefined ? "Somebody" : member.name || member.email);

/** Whose channel it is: "SMS (Twilio)" is a channel of Twilio; other names are the vendor's own. */
export const vendorName = ({ name }: ChannelView): string => /\(([^()]+)\)$/.exec(name)?.[1] ?? name;

export const channelName = (manifest: ChannelView | undefined, channel: string): string => manifest?.name ?? schemeName(channel);
