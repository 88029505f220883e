/** What a channel that is connected by signing in at its vendor needs first. */
import { vendorName } from "../lib/names";
import type { ChannelView } from "../types.gen";
import { Icon } from "../ui/icons";
import { CopyLine } from "./CopyLine";

export function SignInNote({ manifest }: { readonly manifest: ChannelView }) {
  const facts = manifest.sign_in;
  if (facts === null) return null;
  return (
    <>
      {facts.missing !== "" && <p className="notice notice-warn"><Icon name="alert" size={16} />{facts.missing}</p>}
      {facts.missing === "" && <p className="notice"><Icon name="info" size={16} />You sign in at {vendorName(manifest)} and come back here. No password is kept.</p>}
      {(facts.missing !== "" || facts.takes_own_app) && (
        <CopyLine label="Redirect address" help={`Register it with the app at ${vendorName(manifest)}.`} text={facts.redirect_uri} />
      )}
    </>
  );
}
