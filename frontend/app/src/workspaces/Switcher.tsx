/** The workspaces of a person, at the head of the rail: where one is, how much is unread elsewhere, and the way there. */
import { Suspense, lazy, useEffect, useState, useSyncExternalStore } from "react";
import { useFeed, useSignedIn } from "../context";
import { initials } from "../lib/text";
import { Unseen } from "../ui/basics";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, useMenu } from "../ui/menu";
import { showError, showToast } from "../ui/toasts";
import { workspaceCalls } from "./calls";
import type { Joinable } from "./calls";
import { unreadElsewhere } from "./unread";
import { SHORTCUT, digitOf } from "./keys";

const Dialogs = lazy(() => import("./Dialogs").then((module) => ({ default: module.Dialogs })));

export type Asking = "new" | "leave" | null;

export function Switcher() {
  const { session, client, switchWorkspace, reloadSession } = useSignedIn();
  const name = useFeed((state) => state.workspace.name);
  const [joinable, setJoinable] = useState<readonly Joinable[]>([]);
  const menu = useMenu();
  const [asking, setAsking] = useState<Asking>(null);
  const unread = useSyncExternalStore(unreadElsewhere.subscribe, unreadElsewhere.get);
  const { workspaces } = session;

  useEffect(() => unreadElsewhere.follow(workspaces.length), [workspaces.length]);
  useEffect(() => {
    if (!menu.open) return;
    unreadElsewhere.refresh();
    // Whoever's address opens other workspaces learns of it here; that it cannot be asked now is nobody's trouble.
    workspaceCalls.mine().then((found) => setJoinable(found.joinable), () => undefined);
  }, [menu.open]);
  const join = async (one: Joinable): Promise<void> => {
    try {
      await workspaceCalls.join(one.workspace_id);
      await reloadSession();
      setJoinable([]);
      showToast(`You joined ${one.workspace_name}`);
      switchWorkspace(one.workspace_id);
    } catch (error) {
      showError(error);
    }
  };
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      const digit = digitOf(event);
      const to = digit === null ? undefined : workspaces[digit - 1];
      if (to === undefined) return;
      event.preventDefault();
      if (to.workspace_id !== client.workspaceId) switchWorkspace(to.workspace_id);
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  }, [workspaces, client, switchWorkspace]);

  const others = workspaces.some((one) => one.workspace_id !== client.workspaceId && (unread[one.workspace_id] ?? 0) > 0);
  const mark = (
    <>
      <span className="rail-workspace" aria-hidden="true" data-letters={initials(name) || "·"} />
      <Unseen>{`Workspace ${name}: switch`}</Unseen>
      {others && <span className="rail-dot"><Unseen>, unread in others</Unseen></span>}
    </>
  );
  return (
    <>
      <Menu label={`Workspace ${name}: switch`} {...menu} align="start" buttonClass="rail-item rail-switcher" button={mark}>
        <div className="menu-group menu-first" role="group" aria-label="Workspaces">
          {workspaces.map((one, index) => (
            <MenuItem key={one.workspace_id} checked={one.workspace_id === client.workspaceId} onSelect={() => switchWorkspace(one.workspace_id)}
              hint={hint(one.workspace_id === client.workspaceId ? 0 : unread[one.workspace_id] ?? 0, index)}>
              {one.workspace_id === client.workspaceId ? name : one.workspace_name}
            </MenuItem>
          ))}
        </div>
        {joinable.length > 0 && (
          <div className="menu-group" role="group" aria-label="Open to your address">
            {joinable.map((one) => <MenuItem key={one.workspace_id} icon={<Icon name="people" size={16} />} onSelect={() => void join(one)}>Join {one.workspace_name}</MenuItem>)}
          </div>
        )}
        <div className="menu-group">
          <MenuItem onSelect={() => setAsking("new")} icon={<Icon name="plus" size={16} />}>New workspace…</MenuItem>
          <MenuItem onSelect={() => setAsking("leave")} icon={<Icon name="signOut" size={16} />}>Leave {name}…</MenuItem>
        </div>
      </Menu>
      {asking !== null && <Suspense fallback={null}><Dialogs asking={asking} onClose={() => setAsking(null)} /></Suspense>}
    </>
  );
}

function hint(unread: number, index: number) {
  return (
    <>
      {unread > 0 && <span className="menu-unread">{unread > 99 ? "99+" : unread}<Unseen> unread</Unseen></span>}
      {index < 9 && <span className="menu-keys">{SHORTCUT} {index + 1}</span>}
    </>
  );
}
