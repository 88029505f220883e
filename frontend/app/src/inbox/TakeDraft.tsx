/** Where the vendor lets nothing be sent for this account: the draft is copied, and a person sends it at the vendor. */
import type { ChannelAccount, ChannelView, Closed, Contact } from "../types.gen";
import { Button } from "../ui/basics";
import { showToast } from "../ui/toasts";

/** The rule by which nothing is sent on an account; undefined where messages can be. The hub refuses by the same one. */
export function closedRule(manifest: ChannelView | undefined, account: ChannelAccount | undefined): Closed | undefined {
  if (manifest === undefined || account === undefined) return undefined;
  const standard = new Map(manifest.settings.map((one) => [one.name, one.default]));
  return manifest.closed.find((one) => (account.settings[one.setting] || standard.get(one.setting)) === one.value);
}

/** The contact's own page, else the vendor's; an address that came from outside is opened only over https. */
export function pageOf(rule: Closed, contact: Contact | undefined): { readonly url: string; readonly own: boolean } {
  const found = contact?.identities.find((one) => one.scheme === "profile_url" && one.value.startsWith("https://"));
  return found === undefined ? { url: rule.draft_url, own: false } : { url: found.value, own: true };
}

interface TakeDraftProps {
  readonly text: string;
  readonly rule: Closed;
  readonly contact: Contact | undefined;
}

export function TakeDraft({ text, rule, contact }: TakeDraftProps) {
  const { url, own } = pageOf(rule, contact);
  if (url === "") return null;
  const take = (): void => {
    // Opened first: browsers let only what a click does at once open a page.
    window.open(url, "_blank", "noopener,noreferrer");
    navigator.clipboard.writeText(text.trim()).then(
      () => showToast("Copied. Paste it there and send it."),
      () => showToast("The browser did not allow copying.", { tone: "bad" }),
    );
  };
  return (
    <Button look="primary" icon="external" disabled={text.trim() === ""} onClick={take}>
      {own ? "Copy draft and open profile" : "Copy draft and open their messages"}
    </Button>
  );
}
