/** The outermost column (a bar at the bottom on phones): where one can go, and who one is. */
import { TelephoneGate } from "../calls/telephone/TelephoneGate";
import { useFeed, useSignedIn } from "../context";
import { theme, toggleTheme } from "../lib/theme";
import { memberName } from "../lib/names";
import { ACCOUNT, CHANNELS, INBOX, Link, isSettings, navigate, useRoute } from "../router";
import { isUnread } from "../sync/state";
import type { State } from "../sync/state";
import { Avatar, IconButton, Unseen } from "../ui/basics";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, useMenu } from "../ui/menu";
import { useSignal } from "../context";
import { Switcher } from "../workspaces/Switcher";
import { Bell } from "../notices/Bell";
import { showHelp } from "./HelpSheet";

const hasUnread = (state: State): boolean =>
  Object.values(state.conversations).some((row) => row.status === "open" && isUnread(state, row));

export function Rail() {
  const route = useRoute();
  const unread = useFeed(hasUnread);
  useSignal(theme);
  return (
    <nav className="rail" aria-label="Primary">
      <Switcher />
      <Link to={{ page: "home" }} className="rail-item" title="Home" aria-label="Home" aria-current={route.page === "home" ? "page" : undefined}>
        <Icon name="home" size={20} />
      </Link>
      <Link to={INBOX} className="rail-item" title="Inbox" aria-label="Inbox" aria-current={route.page === "inbox" ? "page" : undefined}>
        <Icon name="inbox" size={20} />
        {unread && <span className="rail-dot"><Unseen>unread conversations</Unseen></span>}
      </Link>
      <Bell />
      <Link to={CHANNELS} className="rail-item" title="Settings" aria-label="Settings" aria-current={isSettings(route) ? "page" : undefined}>
        <Icon name="settings" size={20} />
      </Link>
      <TelephoneGate />
      <span className="rail-space" />
      <IconButton className="rail-item rail-wide" icon="keyboard" label="Keyboard shortcuts" onClick={() => showHelp.set(true)} />
      <IconButton className="rail-item" icon={document.documentElement.dataset["theme"] === "dark" ? "sun" : "moon"}
        label={document.documentElement.dataset["theme"] === "dark" ? "Use the light look" : "Use the dark look"} onClick={toggleTheme} />
      <ProfileMenu />
    </nav>
  );
}

function ProfileMenu() {
  const { signOut, session } = useSignedIn();
  const me = useFeed((state) => state.me);
  const choice = useSignal(theme);
  const menu = useMenu();
  return (
    <Menu label={`${memberName(me)}: profile and sign-out`} {...menu} align="start" buttonClass="rail-item" button={<Avatar id={me.id} name={memberName(me)} picture={me.avatar} size="m" />}>
      <div className="menu-about"><strong>{memberName(me)}</strong><span>{me.email}</span></div>
      <div className="menu-group" role="group" aria-label="Look">
        <MenuItem checked={choice === "system"} onSelect={() => theme.set("system")} icon={<Icon name="bolt" size={16} />}>Look of the system</MenuItem>
        <MenuItem checked={choice === "light"} onSelect={() => theme.set("light")} icon={<Icon name="sun" size={16} />}>Light</MenuItem>
        <MenuItem checked={choice === "dark"} onSelect={() => theme.set("dark")} icon={<Icon name="moon" size={16} />}>Dark</MenuItem>
      </div>
      <MenuItem onSelect={() => navigate(ACCOUNT)} icon={<Icon name="person" size={16} />}>Your account</MenuItem>
      {session.is_operator === true && <MenuItem onSelect={() => navigate({ page: "operator", workspace: null })} icon={<Icon name="bolt" size={16} />}>Installation</MenuItem>}
      <MenuItem onSelect={signOut} icon={<Icon name="signOut" size={16} />}>Sign out</MenuItem>
    </Menu>
  );
}
