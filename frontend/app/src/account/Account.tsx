/** One's own account: profile, security, sign-ins; the same in every workspace. Needs no workspace to be shown. */
import type { ReactNode } from "react";
import { ACCOUNT_SECTIONS, INBOX, Link } from "../router";
import type { AccountSection } from "../router";
import { Icon } from "../ui/icons";
import type { IconName } from "../ui/icons";
import { ProfilePage } from "./ProfilePage";
import { SecurityPage } from "./SecurityPage";
import { SessionsPage } from "./SessionsPage";
import "./account.css";

const SECTIONS: Readonly<Record<AccountSection, readonly [string, IconName]>> = {
  profile: ["Profile", "person"], security: ["Security", "settings"], sessions: ["Sessions", "phone"],
};

interface AccountProps {
  readonly section: AccountSection;
  /** Above the page: why one is here, where one did not come by oneself. */
  readonly notice?: ReactNode;
}

export function Account({ section, notice }: AccountProps) {
  return (
    <>
      <nav className="nav" aria-label="Your account">
        <div className="nav-head"><strong>Your account</strong></div>
        <AccountLinks section={section} />
      </nav>
      <main className="pane pane-lone own">
        <nav className="own-tabs" aria-label="Sections of your account"><AccountLinks section={section} /></nav>
        {notice}
        {section === "profile" && <ProfilePage />}
        {section === "security" && <SecurityPage />}
        {section === "sessions" && <SessionsPage />}
      </main>
    </>
  );
}

/** The same without an inbox around it: for those in no workspace, and those a workspace asks for a second factor. */
export function AccountAlone(props: AccountProps) {
  return (
    <div className="shell" data-page="account">
      <nav className="rail" aria-label="Primary"><Link to={INBOX} className="rail-item" title="Back" aria-label="Back"><Icon name="back" size={20} /></Link></nav>
      <Account {...props} />
    </div>
  );
}

function AccountLinks({ section }: { readonly section: AccountSection }) {
  return ACCOUNT_SECTIONS.map((one) => (
    <Link key={one} className="nav-link" to={{ page: "account", section: one }} aria-current={one === section ? "page" : undefined}>
      <span><Icon name={SECTIONS[one][1]} size={15} />{SECTIONS[one][0]}</span>
    </Link>
  ));
}

/** What a member meets whose workspace asks everybody for a second factor. */
export function MustEnrol({ section }: { readonly section: AccountSection }) {
  const notice = (
    <p className="notice notice-warn own-notice" role="status">
      <span>This workspace asks everybody for a second factor. Set up an app or a passkey, then <a href="/">open the workspace</a>.</span>
    </p>
  );
  return <AccountAlone section={section} notice={notice} />;
}
