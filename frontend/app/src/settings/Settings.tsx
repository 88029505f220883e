/** Settings: channels, members, and what could not be read. */
import { useLayoutEffect, useRef } from "react";
import { useFeed } from "../context";
import { Link } from "../router";
import type { SettingsRoute } from "../router";
import { may } from "../sync/state";
import { Icon } from "../ui/icons";
import { Channels } from "./Channels";
import { DeadLetters } from "./DeadLetters";
import { Members } from "./Members";
import "./settings.css";

export function Settings({ route }: { readonly route: SettingsRoute }) {
  const pane = useRef<HTMLElement>(null);
  const shown = route.page === "channels" ? `channels/${route.connect ?? ""}` : route.page;
  // Pages share one scroller: without this a form opened from the foot of the list would open at its own foot.
  useLayoutEffect(() => {
    if (pane.current !== null) pane.current.scrollTop = 0;
  }, [shown]);
  return (
    <>
      <nav className="nav" aria-label="Settings">
        <div className="nav-head"><strong>Settings</strong></div>
        <SettingsLinks page={route.page} />
      </nav>
      <main ref={pane} className="pane pane-lone settings">
        <nav className="settings-tabs" aria-label="Sections of settings"><SettingsLinks page={route.page} /></nav>
        {route.page === "channels" && <Channels connect={route.connect} account={route.account} />}
        {route.page === "members" && <Members />}
        {route.page === "dead-letters" && <DeadLetters />}
      </main>
    </>
  );
}

function SettingsLinks({ page }: { readonly page: string }) {
  const mayManage = useFeed((state) => may(state, "channels.manage"));
  return (
    <>
      <Link className="nav-link" to={{ page: "channels", connect: null, account: null }} aria-current={page === "channels" ? "page" : undefined}>
        <span><Icon name="plug" size={15} />Channels</span>
      </Link>
      <Link className="nav-link" to={{ page: "members" }} aria-current={page === "members" ? "page" : undefined}>
        <span><Icon name="people" size={15} />Members</span>
      </Link>
      {mayManage && (
        <Link className="nav-link" to={{ page: "dead-letters" }} aria-current={page === "dead-letters" ? "page" : undefined}>
          <span><Icon name="alert" size={15} />Unreadable</span>
        </Link>
      )}
    </>
  );
}
