/** The line over Twilio's library: the only file that knows it, loaded when a member turns the telephone on. */
import { Call, Device } from "@twilio/voice-sdk";
import type { Line, LineEvents, OpenLine, Talk } from "./line";

const NO_MICROPHONE = "The browser gave no microphone. Allow it for this page, and try again.";
/** Codes of Twilio's library. Source: twilio.com/docs/voice/sdks/error-codes, read 2026-11-23. */
const WORDS: Readonly<Record<number, string>> = {
  20101: "Twilio did not accept the sign-in. Whoever manages channels looks at the API key.",
  20104: "The sign-in at Twilio has ended. Turn the telephone on again.",
  31000: "The line to Twilio broke.",
  31005: "The line to Twilio broke.",
  31009: "Twilio cannot be reached from this network.",
  31401: NO_MICROPHONE,
  31402: "The microphone cannot be used; another program may hold it.",
};

export const openTwilioLine: OpenLine = async (token, events): Promise<Line> => {
  if (!Device.isSupported) throw new Error("This browser cannot telephone.");
  const device = new Device(token, { codecPreferences: [Call.Codec.Opus, Call.Codec.PCMU], closeProtection: "You are on the telephone.", logLevel: "error" });
  device.on(Device.EventName.Incoming, (call: Call) => events.ringing(talkOf(call, events), call.parameters["From"] ?? ""));
  device.on(Device.EventName.TokenWillExpire, () => events.tokenEnds());
  device.on(Device.EventName.Error, (error: { code: number }) => events.broken(words(error)));
  try {
    await device.register();
  } catch (error) {
    device.destroy();
    throw new Error(words(error), { cause: error });
  }
  return {
    call: async (order) => talkOf(await device.connect({ params: { Order: order } }), events),
    renew: (fresh) => device.updateToken(fresh),
    close: () => device.destroy(),
  };
};

function talkOf(call: Call, events: LineEvents): Talk {
  let over = false;
  const end = (problem: string): void => {
    if (over) return;
    over = true;
    events.ended(problem);
  };
  call.on("accept", () => events.talking());
  for (const name of ["disconnect", "cancel", "reject"]) call.on(name, () => end(""));
  call.on("error", (error: unknown) => end(words(error)));
  return {
    accept: () => call.accept(),
    reject: () => call.reject(),
    hangUp: () => call.disconnect(),
    mute: (on) => call.mute(on),
  };
}

function words(error: unknown): string {
  const code = typeof error === "object" && error !== null && "code" in error && typeof error.code === "number" ? error.code : 0;
  return WORDS[code] ?? (code === 0 ? "The telephone could not be used." : `The telephone could not be used (Twilio error ${code}).`);
}
