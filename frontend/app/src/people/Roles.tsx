/** Settings → Roles: the four, the workspace's own, what each allows, and who has it. Only owners change them. */
import { useState } from "react";
import type { ReactNode } from "react";
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import { plural } from "../lib/text";
import { may } from "../sync/state";
import type { CustomRole, Permission } from "../types.gen";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { readCatalogue } from "./calls";
import type { PermissionView } from "./calls";
import { PageHead, ROLE_NAMES } from "./parts";
import { RoleDialog } from "./RoleDialog";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

export function Roles() {
  const custom = useFeed((state) => state.roles);
  const members = useFeed((state) => state.members);
  const mayEdit = useFeed((state) => may(state, "roles.manage"));
  const calls = usePeopleCalls();
  const { answer: catalogue, problem, reload } = useAsked(readCatalogue);
  const { answer: built } = useAsked(calls.roles);
  const [edited, setEdited] = useState<CustomRole | "new" | null>(null);
  const [removed, setRemoved] = useState<CustomRole | null>(null);
  const { busy, act } = useAct();
  const words = catalogue?.permissions ?? [];
  const who = (value: string): readonly string[] =>
    Object.values(members).filter((one) => one.active && (one.custom_role_id ?? one.role) === value).map(memberName);
  const remove = async (role: CustomRole): Promise<void> => {
    if (await act(() => calls.removeRole(role.id), `${role.name} is deleted.`)) setRemoved(null);
  };
  const own = Object.values(custom).sort((left, right) => left.name.localeCompare(right.name));
  return (
    <div className="settings-page">
      <PageHead title="Roles" action={mayEdit && catalogue !== null && <Button look="primary" icon="plus" onClick={() => setEdited("new")}>Make a role</Button>}>
        What members may do. {mayEdit ? "Changes hold at once, for everybody who has the role." : "Only owners make and change roles."}
      </PageHead>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {catalogue === null && problem === "" && <Skeleton rows={4} className="skeleton-thread" />}
      {catalogue !== null && (
        <>
          <section className="people-section" aria-labelledby="own-roles">
            <h2 className="settings-title" id="own-roles">Your own</h2>
            {own.length === 0 && <Empty icon="tag" title="No roles of your own yet">The four built-in ones are below. Make one where none of them fits.</Empty>}
            {own.map((role) => (
              <RoleCard key={role.id} name={role.name} permissions={role.permissions} words={words} who={who(role.id)}>
                {mayEdit && (
                  <div className="people-acts">
                    <Button icon="edit" aria-label={`Change ${role.name}`} onClick={() => setEdited(role)}>Change</Button>
                    <Button look="ghost" icon="trash" className="button-remove" aria-label={`Delete ${role.name}`} onClick={() => setRemoved(role)}>Delete</Button>
                  </div>
                )}
              </RoleCard>
            ))}
          </section>
          <section className="people-section" aria-labelledby="built-in-roles">
            <h2 className="settings-title" id="built-in-roles">Built in</h2>
            {built?.roles.map((one) => (
              <RoleCard key={one.role} name={ROLE_NAMES[one.role]} permissions={one.permissions} words={words} who={who(one.role)} note={one.sees_all ? "Sees every inbox." : "Sees inboxes open to all, and those they are let into."} />
            ))}
          </section>
        </>
      )}
      {edited !== null && <RoleDialog role={edited === "new" ? null : edited} words={words} onClose={() => setEdited(null)} />}
      {removed !== null && (
        <Confirm title={`Delete ${removed.name}?`} confirm="Delete role" danger busy={busy} onClose={() => setRemoved(null)} onConfirm={() => void remove(removed)}>
          {who(removed.id).length === 0 ? "Nobody has this role." : `${plural(who(removed.id).length, "member")} still have it: ${who(removed.id).join(", ")}. Give them another role first.`}
        </Confirm>
      )}
    </div>
  );
}

interface CardProps {
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly words: readonly PermissionView[];
  readonly who: readonly string[];
  readonly note?: string;
  readonly children?: ReactNode;
}

function RoleCard({ name, permissions, words, who, note = "", children }: CardProps) {
  return (
    <article className="people-card" aria-label={name}>
      <div className="people-line">
        <div className="people-words"><h3>{name}</h3><span>{who.length === 0 ? "Nobody has it" : `${plural(who.length, "member")}: ${who.slice(0, 5).join(", ")}${who.length > 5 ? "…" : ""}`}{note !== "" && ` · ${note}`}</span></div>
        {children}
      </div>
      <div className="people-tags">{words.filter((one) => permissions.includes(one.permission)).map((one) => <span key={one.permission} className="tag tag-faint" title={one.description}>{one.name}</span>)}</div>
    </article>
  );
}
