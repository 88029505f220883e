/** Settings: a navigation made from the table of sections, and the page of the route for whoever may see it. */
import { Suspense, lazy, useLayoutEffect, useRef } from "react";
import { useFeed } from "../context";
import { Link } from "../router";
import type { SettingsRoute } from "../router";
import { may } from "../sync/state";
import { Empty, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { Channels } from "./Channels";
import { DeadLetters } from "./DeadLetters";
import { SECTIONS } from "./sections";
import "./settings.css";

const Notifications = lazy(() => import("../notices/SettingsPage").then((module) => ({ default: module.SettingsPage })));
const CallReport = lazy(() => import("../calls/CallReport").then((module) => ({ default: module.CallReport })));
const Usage = lazy(() => import("../usage/Usage").then((module) => ({ default: module.Usage })));
const Members = lazy(() => import("../people/Members").then((module) => ({ default: module.Members })));
const Roles = lazy(() => import("../people/Roles").then((module) => ({ default: module.Roles })));
const Teams = lazy(() => import("../people/Teams").then((module) => ({ default: module.Teams })));
const Access = lazy(() => import("../people/Access").then((module) => ({ default: module.Access })));
const WorkspaceSettings = lazy(() => import("../people/WorkspaceSettings").then((module) => ({ default: module.WorkspaceSettings })));
const Privacy = lazy(() => import("../privacy/Privacy").then((module) => ({ default: module.Privacy })));
const Keys = lazy(() => import("../keys/Keys").then((module) => ({ default: module.Keys })));
const Audit = lazy(() => import("../audit/Audit").then((module) => ({ default: module.Audit })));

export function Settings({ route }: { readonly route: SettingsRoute }) {
  const pane = useRef<HTMLElement>(null);
  const shown = route.page === "channels" ? `channels/${route.connect ?? ""}` : route.page;
  const section = SECTIONS.find((one) => one.to.page === route.page);
  const allowed = useFeed((state) => section?.permission == null || may(state, section.permission));
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
        {allowed
          ? <Suspense fallback={<Skeleton rows={4} className="skeleton-thread" />}><SettingsPage route={route} /></Suspense>
          : <Empty page icon="shield" title="This page is not for your role">Your role does not include {section?.label.toLowerCase()}. Ask an owner or admin of the workspace.</Empty>}
      </main>
    </>
  );
}

function SettingsPage({ route }: { readonly route: SettingsRoute }) {
  switch (route.page) {
    case "channels": return <Channels connect={route.connect} account={route.account} />;
    case "members": return <Members />;
    case "dead-letters": return <DeadLetters />;
    case "roles": return <Roles />;
    case "teams": return <Teams />;
    case "access": return <Access />;
    case "workspace": return <WorkspaceSettings />;
    case "privacy": return <Privacy />;
    case "keys": return <Keys />;
    case "audit": return <Audit search={route} />;
    case "calls": return <CallReport />;
    case "usage": return <Usage />;
    case "notifications": return <Notifications />;
  }
}

function SettingsLinks({ page }: { readonly page: string }) {
  const permissions = useFeed((state) => state.permissions);
  return SECTIONS.filter((one) => one.permission === null || permissions.includes(one.permission)).map((one) => (
    <Link key={one.to.page} className="nav-link" to={one.to} aria-current={page === one.to.page ? "page" : undefined}>
      <span><Icon name={one.icon} size={15} />{one.label}</span>
    </Link>
  ));
}
