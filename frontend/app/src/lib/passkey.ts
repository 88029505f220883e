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

/** Asks the device for a new passkey. */
export const make = (options: Json): Promise<Json> =>
  answered(() => navigator.credentials.create({
    publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(options as unknown as PublicKeyCredentialCreationOptionsJSON),
  }));

async function answered(ask: () => Promise<Credential | null>): Promise<Json> {
  let given: Credential | null;
  try {
    given = await ask();
  } catch (error) {
    // One name for a cancel, a time-out and a device that has none: the standard tells pages no more.
    const known = error instanceof DOMException && error.name === "InvalidStateError";
    throw new ApiError(0, "passkey", known ? "This device has a passkey for you already." : "No passkey was used. Try again, or choose another way.");
  }
  if (given === null) throw new ApiError(0, "passkey", "No passkey was used.");
  return (given as PublicKeyCredential).toJSON() as unknown as Json;
}
