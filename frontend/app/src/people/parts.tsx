/** Form parts of these pages: a choice among named values, a list of boxes to tick, which role. */
import { useId } from "react";
import type { ReactNode } from "react";
import { useFeed } from "../context";
import type { Member, Permission, Role, Uuid } from "../types.gen";
import { FieldNote } from "../ui/field";
import "./people.css";

export const ROLE_NAMES: Readonly<Record<Role, string>> = { owner: "Owner", admin: "Admin", agent: "Agent", viewer: "Viewer" };
const ROLES: readonly Role[] = ["owner", "admin", "agent", "viewer"];

interface Option {
  readonly value: string;
  readonly label: string;
}

interface SelectProps {
  readonly label: string;
  readonly value: string;
  readonly options: readonly Option[];
  readonly onChange: (value: string) => void;
  readonly help?: string;
  readonly problem?: string;
  readonly disabled?: boolean;
}

export function Select({ label, value, options, onChange, help = "", problem = "", disabled = false }: SelectProps) {
  const id = useId();
  return (
    <div className="field">
      <label className="field-label" htmlFor={id}>{label}</label>
      <select id={id} className="input" value={value} disabled={disabled} onChange={(event) => onChange(event.target.value)}
        aria-invalid={problem !== "" || undefined} aria-describedby={help === "" && problem === "" ? undefined : `${id}-help`}>
        {options.map((one) => <option key={one.value} value={one.value}>{one.label}</option>)}
      </select>
      <FieldNote id={`${id}-help`} help={help} problem={problem} />
    </div>
  );
}

interface TicksProps {
  readonly legend: string;
  readonly rows: readonly { readonly id: string; readonly label: string; readonly help?: string; readonly fixed?: boolean }[];
  readonly chosen: readonly string[];
  readonly onChange: (chosen: readonly string[]) => void;
  readonly empty?: string;
}

export function Ticks({ legend, rows, chosen, onChange, empty = "" }: TicksProps) {
  const flip = (id: string): void => onChange(chosen.includes(id) ? chosen.filter((one) => one !== id) : [...chosen, id]);
  return (
    <fieldset className="ticks">
      <legend className="field-label">{legend}</legend>
      {rows.length === 0 && <span className="field-help">{empty}</span>}
      {rows.map((one) => (
        <label key={one.id} className="tick">
          <input type="checkbox" checked={chosen.includes(one.id)} disabled={one.fixed === true} onChange={() => flip(one.id)} />
          <span><span>{one.label}</span>{one.help !== undefined && <span className="field-help">{one.help}</span>}</span>
        </label>
      ))}
    </fieldset>
  );
}

/** Roles the caller may give: the hub refuses those above them, so they are not offered. */
export function useRoleOptions(): readonly Option[] {
  const roles = useFeed((state) => state.roles);
  const mine = useFeed((state) => state.permissions);
  const isOwner = mine.includes("workspace.manage");
  const sees = useFeed((state) => state.me.role === "owner" || state.me.role === "admin");
  const offered = ROLES.filter((one) => (one === "owner" ? isOwner : one === "admin" ? sees : one === "viewer" || covers(mine, ["inbox.reply", "inbox.assign", "contacts.write"])));
  const custom = Object.values(roles).filter((one) => covers(mine, one.permissions)).sort((left, right) => left.name.localeCompare(right.name));
  return [...offered.map((one) => ({ value: one, label: ROLE_NAMES[one] })), ...custom.map((one) => ({ value: one.id, label: one.name }))];
}

/** What a chosen option means to the API. */
export const standingOf = (value: string): { role: Role } | { custom_role_id: Uuid } => {
  const role = ROLES.find((one) => one === value);
  return role === undefined ? { custom_role_id: value } : { role };
};

export const standingValue = (of: Pick<Member, "role" | "custom_role_id">): string => of.custom_role_id ?? of.role;

export function useRoleName(): (of: Pick<Member, "role" | "custom_role_id">) => string {
  const roles = useFeed((state) => state.roles);
  return (of) => (of.custom_role_id === null ? ROLE_NAMES[of.role] : (roles[of.custom_role_id]?.name ?? "Custom role"));
}

export function PageHead({ title, children, action }: { readonly title: string; readonly children: ReactNode; readonly action?: ReactNode }) {
  return (
    <div className="people-head">
      <header className="settings-head"><h1>{title}</h1><p>{children}</p></header>
      {action}
    </div>
  );
}

const covers = (mine: readonly Permission[], wanted: readonly Permission[]): boolean => wanted.every((one) => mine.includes(one));
