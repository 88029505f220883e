/** Passkeys of this device: what the hub asks goes in, what it checks comes out. Browsers without them give `false`. */

/** What the hub sends for the browser to sign; only the browser reads it. */
export type PasskeyOptions = Readonly<Record<string, unknown>>;
export type PasskeyAnswer = Readonly<Record<string, unknown>>;

/** Said where the member closed the browser's own dialog, or the device has no passkey for this hub. */
export class PasskeyRefused extends Error {}

export const hasPasskeys = (): boolean =>
  typeof PublicKeyCredential !== "undefined" && typeof PublicKeyCredential.parseRequestOptionsFromJSON === "function";

/** Makes a passkey on this device. */
export async function makePasskey(options: PasskeyOptions): Promise<PasskeyAnswer> {
  const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options as unknown as PublicKeyCredentialCreationOptionsJSON);
  return answerOf(() => navigator.credentials.create({ publicKey }));
}

/** Signs with a passkey of this device. */
export async function signWithPasskey(options: PasskeyOptions): Promise<PasskeyAnswer> {
  const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options as unknown as PublicKeyCredentialRequestOptionsJSON);
  return answerOf(() => navigator.credentials.get({ publicKey }));
}

async function answerOf(ask: () => Promise<Credential | null>): Promise<PasskeyAnswer> {
  let credential: Credential | null;
  try {
    credential = await ask();
  } catch (error) {
    const name = error instanceof Error ? error.name : "";
    if (name === "InvalidStateError") throw new PasskeyRefused("This device has a passkey of yours already.");
    if (name === "SecurityError") throw new PasskeyRefused("Passkeys do not work at this address of the hub. Use its public address.");
    throw new PasskeyRefused("No passkey was used. Try again, or choose another way.");
  }
  if (credential === null) throw new PasskeyRefused("No passkey was used. Try again, or choose another way.");
  return (credential as PublicKeyCredential).toJSON() as unknown as PasskeyAnswer;
}
