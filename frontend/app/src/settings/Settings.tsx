/** Settings: channels and members. */
import { useLayoutEffect, useRef } from "react";
import { Link } from "../router";
import type { Route } from "../router";
import { Icon } from "../ui/icons";
import { Channels } from "./Channels";
import { Members } from "./Members";
import "./settings.css";

type SettingsRoute = Exclude<Route, { page: "inbox" | "setup" | "join" | "reset" }>;

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
      </main>
    </>
  );
}

function SettingsLinks({ page }: { readonly page: string }) {
  return (
    <>
      <Link className="nav-link" to={{ page: "channels", connect: null, account: null }} aria-current={page === "channels" ? "page" : undefined}>
        <span><Icon name="plug" size={15} />Channels</span>
      </Link>
      <Link className="nav-link" to={{ page: "members" }} aria-current={page === "members" ? "page" : undefined}>
        <span><Icon name="people" size={15} />Members</span>
      </Link>
    </>
  );
}
