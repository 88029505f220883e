/** How actors and rows of the audit log are called. */
import type { AuditEntry } from "./calls";

const KINDS: Readonly<Record<AuditEntry["actor"]["kind"], string>> = { member: "A former member", login: "A person", key: "An API key", operator: "The operator", system: "The hub" };

export const actorName = ({ actor }: AuditEntry): string => actor.name || KINDS[actor.kind];

export const kindName = (kind: string): string => kind.replaceAll("_", " ");

/** A row's name where the hub knows one, else its kind and the end of its id. */
export const targetName = ({ target_kind, target_id, target_name }: AuditEntry): string =>
  target_name || (target_kind === "" ? "" : `${kindName(target_kind)} ${target_id.length > 12 ? `…${target_id.slice(-8)}` : target_id}`);
