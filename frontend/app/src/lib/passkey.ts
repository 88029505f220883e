/** Passkeys by the browser's own code (WebAuthn level 3, section 5.1): options in, JSON for the hub out. */
import { ApiError } from "../api";

type Json = Readonly<Record<string, unknown>>;

export const knowsPasskeys = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function";

/** Asks the device for a signature; what the person stopped is said in words. */
export const sign = (options: Json): Promise<Json> =>
  answered(() => navigator.credentials.get({
    publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(options as unknown as PublicKeyCredentialRequestOptionsJSON),
  }));

async function answered(ask: () => Promise<Credential | null>): Promise<Json> {
  let given: Credential | null;
  try {
    given = await ask();
  } catch (error) {
    // One name for a cancel, a time-out and a device that has none: the standard tells pages no more.
    if (!(error instanceof DOMException)) throw error;
    throw new ApiError(0, "passkey", "No passkey was used. Try again, or choose another way.");
  }
  if (given === null) throw new ApiError(0, "passkey", "No passkey was used.");
  return (given as PublicKeyCredential).toJSON() as unknown as Json;
}
