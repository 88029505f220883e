/** The connect form of a channel, generated from its manifest: first values, checks, what is sent. Pure. */
import type { AccountForm } from "../api";
import type { Field, ChannelView, Preset } from "../types.gen";

export type Values = Readonly<Record<string, string>>;
export type Part = "credentials" | "settings";

const SHAPES: Partial<Readonly<Record<Field["kind"], readonly [RegExp, string]>>> = {
  phone: [/^\+[1-9]\d{6,14}$/, "Write the number with its country code, like +15550100."],
  url: [/^https?:\/\/\S+$/, "Write the whole address, with https://."],
  color: [/^#[0-9a-f]{6}$/i, "Choose a colour."],
};

/** What a member is asked at once: needed, and not answered by a default where a provider's settings fill the rest. */
export const isAsked = (manifest: ChannelView, field: Field): boolean => field.required && (manifest.presets.length === 0 || field.default === "");

/** An address says who one is: it stands before the password that belongs to it. */
export const isWho = (field: Field): boolean => field.kind === "email";

/** The key of a field in the form; credentials and settings may share names. */
export const fieldKey = (part: Part, field: Field): string => `${part}.${field.name}`;

/** The first values of some fields, as they are sent. */
export function defaultsOf(fields: readonly Field[]): Values {
  return Object.fromEntries(fields.map((field) => [field.name, field.default]));
}

/** The first values of a whole form. */
export function firstValues(manifest: ChannelView, name: string, settings: Values = {}): Values {
  return {
    name,
    ...Object.fromEntries(manifest.credentials.map((field) => [fieldKey("credentials", field), field.default])),
    ...Object.fromEntries(manifest.settings.map((field) => [fieldKey("settings", field), settings[field.name] ?? field.default])),
  };
}

/** The provider an address belongs to, by its domain; undefined while the address is not whole or nobody we know. */
export function presetFor(manifest: ChannelView, address: string): Preset | undefined {
  const domain = /@([^@\s]+\.[^@\s]+)$/.exec(address.trim().toLowerCase())?.[1];
  return domain === undefined ? undefined : manifest.presets.find((preset) => preset.domains.includes(domain));
}

/** The values with a provider's settings filled in; what the provider leaves open stays. */
export function applyPreset(manifest: ChannelView, values: Values, preset: Preset): Values {
  const known = manifest.settings.filter((field) => preset.values[field.name] !== undefined);
  return { ...values, ...Object.fromEntries(known.map((field) => [fieldKey("settings", field), preset.values[field.name] ?? ""])) };
}

/**
 * Checks one value.
 *
 * @returns the complaint, or "" when there is none.
 */
export function complaint(field: Field, value: string): string {
  const text = value.trim();
  if (text === "") return field.required && field.kind !== "checkbox" ? `${field.label} is needed.` : "";
  const shape = SHAPES[field.kind];
  if (shape !== undefined && !shape[0].test(text)) return shape[1];
  if (field.kind === "select" && !field.options.includes(text)) return "Choose one of the list.";
  return field.pattern === "" || matchesWhole(field.pattern, text) ? "" : `This does not look like ${article(field.label)}. ${field.help}`.trim();
}

/** Complaints by key; empty when the form may be sent. Unchanged secrets of a connected account may stay blank. */
export function complaints(manifest: ChannelView, values: Values, options: { readonly secretsMayStay: boolean }): Values {
  const found: Record<string, string> = {};
  if ((values["name"] ?? "").trim() === "") found["name"] = "Give it a name your team will recognise.";
  const check = (part: Part, fields: readonly Field[]): void => {
    for (const field of fields) {
      const value = values[fieldKey(part, field)] ?? "";
      if (part === "credentials" && options.secretsMayStay && value.trim() === "") continue;
      const problem = complaint(field, value);
      if (problem !== "") found[fieldKey(part, field)] = problem;
    }
  };
  check("credentials", manifest.credentials);
  check("settings", manifest.settings);
  return found;
}

/** What is sent for these values. */
export function toForm(manifest: ChannelView, values: Values): AccountForm {
  const collect = (part: Part, fields: readonly Field[]): Values =>
    Object.fromEntries(fields.map((field) => [field.name, (values[fieldKey(part, field)] ?? "").trim()]));
  return {
    channel: manifest.id,
    name: (values["name"] ?? "").trim(),
    credentials: collect("credentials", manifest.credentials),
    settings: collect("settings", manifest.settings),
  };
}

/** The key the hub's `field` of a refusal belongs to: "auth_token", "credentials.auth_token" or "name". */
export function keyOfRefusal(manifest: ChannelView, field: string | null): string | null {
  if (field === null) return null;
  if (field === "name") return "name";
  const keys = [
    ...manifest.credentials.map((one) => fieldKey("credentials", one)),
    ...manifest.settings.map((one) => fieldKey("settings", one)),
  ];
  return keys.find((key) => key === field || key.endsWith(`.${field}`)) ?? null;
}

function matchesWhole(pattern: string, text: string): boolean {
  try {
    return new RegExp(`^(?:${pattern})$`, "u").test(text);
  } catch {
    return true; // a pattern only the hub's own engine knows: the hub checks it
  }
}

const article = (label: string): string => `${/^[aeiou]/i.test(label) ? "an" : "a"} ${label}`;
