/** The settings as shown: what the hub knows, and over it what is on its way there. */
import { useEffect, useRef, useState } from "react";
import { ApiError } from "../api";
import { showToast } from "../ui/toasts";
import { noticeApi } from "./calls";
import type { NoticeSettings } from "./calls";

export type Change = Partial<NoticeSettings>;
export type Save = (change: Change, done?: string) => void;

interface Refused {
  /** The field it is about, or empty. */
  readonly field: string;
  readonly message: string;
}

const NONE: Refused = { field: "", message: "" };

export function useSettings(workspaceId: number) {
  const [known, setKnown] = useState<NoticeSettings | null>(null);
  const [pending, setPending] = useState<readonly Change[]>([]);
  const [failed, setFailed] = useState("");
  const [refused, setRefused] = useState<Refused>(NONE);
  const [tries, setTries] = useState(0);
  // One at a time and in order: two changes of one field must not overtake each other on their way.
  const line = useRef<{ last: Promise<void>; waiting: number; replaced: Change }>({ last: Promise.resolve(), waiting: 0, replaced: {} });

  useEffect(() => {
    setFailed("");
    noticeApi(workspaceId).settings().then(setKnown, (error: Error) => setFailed(error.message));
  }, [workspaceId, tries]);

  const settings = known === null ? null : pending.reduce<NoticeSettings>(withChange, known);

  const send = async (change: Change, done: string): Promise<void> => {
    try {
      setKnown(await noticeApi(workspaceId).changeSettings(change));
    } catch (error) {
      const { field, message } = error instanceof ApiError ? error : { field: null, message: "That did not work. Try again." };
      setRefused({ field: field?.split(".")[0] ?? "", message });
      done = "";
    }
    setPending((all) => all.filter((one) => one !== change));
    const { replaced } = line.current;
    line.current.waiting -= 1;
    if (line.current.waiting > 0) return;
    line.current.replaced = {};
    if (done !== "") showToast(done, { action: { label: "Undo", run: () => save(replaced, "") } });
  };

  /** Shows a change at once, and takes it back where the hub refuses it; the word said after the last can undo all since the last word. */
  const save: Save = (change, done = "Saved") => {
    if (settings === null) return;
    const before = Object.fromEntries(Object.keys(change).map((name) => [name, settings[name as keyof NoticeSettings]])) as Change;
    setPending((all) => [...all, change]);
    setRefused(NONE);
    line.current.waiting += 1;
    line.current.replaced = { ...before, ...line.current.replaced };
    line.current.last = line.current.last.then(() => send(change, done));
  };

  return { settings, failed, refused, save, again: () => setTries(tries + 1) };
}

const withChange = (settings: NoticeSettings, change: Change): NoticeSettings =>
  ({ ...settings, ...change, kinds: { ...settings.kinds, ...change.kinds } });
