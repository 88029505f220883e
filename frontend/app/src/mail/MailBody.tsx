/** What a mail said: its people, its text or its formatted form in a closed frame, and what it quoted, folded. */
import { useEffect, useRef, useState } from "react";
import { useClient, useSignal } from "../context";
import { shownTheme } from "../lib/theme";
import { Linked } from "../inbox/Linked";
import type { Message, Party } from "../types.gen";
import { Button } from "../ui/basics";
import { Icon } from "../ui/icons";
import { choices, countPictures, NO_PICTURES, PicturesLine } from "./Pictures";
import type { Pictures } from "./Pictures";
import { partyName } from "./people";
import "./mail.css";

/** Higher mails scroll inside: one newsletter must not bury the conversation. */
const HEIGHT_LIMIT_PX = 1_600;
// The frame may be measured (same origin) but runs nothing: no scripts, no forms, no way to the page around it.
const SANDBOX = "allow-same-origin allow-popups allow-popups-to-escape-sandbox";

export function MailPeople({ message, subject }: { readonly message: Message; readonly subject: string }) {
  const { headers } = message;
  if (headers === null) return null;
  const lines = [
    ["To", headers.to], ["Cc", headers.cc], ["Bcc", headers.bcc],
  ] as const;
  const many = headers.to.length + headers.cc.length + headers.bcc.length > 1;
  return (
    <>
      {headers.subject !== "" && headers.subject !== subject && <p className="mail-subject" dir="auto">{headers.subject}</p>}
      {many && lines.map(([label, people]) => people.length > 0 && (
        <p className="mail-people" key={label}><span>{label}</span> <People people={people} /></p>
      ))}
    </>
  );
}

function People({ people }: { readonly people: readonly Party[] }) {
  const [all, setAll] = useState(false);
  const shown = all ? people : people.slice(0, 4);
  return (
    <>
      {shown.map((one, index) => <span key={one.address} title={one.address}>{index > 0 && ", "}{partyName(one)}</span>)}
      {shown.length < people.length && <button type="button" className="link-button" onClick={() => setAll(true)}> and {people.length - shown.length} more</button>}
    </>
  );
}

export function MailBody({ message }: { readonly message: Message }) {
  return (
    <>
      {message.has_html ? <Formatted message={message} /> : <p className="bubble-text" dir="auto"><Linked text={message.text} /></p>}
      {!message.has_html && message.quoted !== "" && (
        <details className="quoted">
          <summary aria-label="Show quoted text" title="Show quoted text"><Icon name="more" size={14} /></summary>
          <p className="bubble-text" dir="auto">{message.quoted}</p>
        </details>
      )}
    </>
  );
}

function Formatted({ message }: { readonly message: Message }) {
  const { workspaceId } = useClient();
  const [asked, setAsked] = useState(false);
  const [pictures, setPictures] = useState<Pictures>(NO_PICTURES);
  const [plain, setPlain] = useState(false);
  const theme = useSignal(shownTheme);
  const choice = useSignal(choices)[message.author_id ?? ""] ?? 0;
  // Without the member's own word the hub goes by what is kept for the sender.
  const address = `/api/v1/workspaces/${workspaceId}/conversations/${message.conversation_id}/messages/${message.id}/html?${asked ? "remote=1&" : ""}theme=${theme}`;
  if (plain) {
    return (
      <>
        <p className="bubble-text" dir="auto"><Linked text={message.text} /></p>
        {message.quoted !== "" && <p className="bubble-text mail-quoted" dir="auto">{message.quoted}</p>}
        <Button look="ghost" className="mail-switch" onClick={() => setPlain(false)}>Show formatted</Button>
      </>
    );
  }
  return (
    <div className="mail">
      <PicturesLine message={message} workspaceId={workspaceId} pictures={pictures} asked={asked} onShow={() => setAsked(true)} />
      <MailFrame key={`${address} ${choice}`} address={address} onPictures={setPictures} />
      <Button look="ghost" className="mail-switch" onClick={() => setPlain(true)}>Plain text</Button>
    </div>
  );
}

function MailFrame({ address, onPictures }: { readonly address: string; readonly onPictures: (pictures: Pictures) => void }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const [height, setHeight] = useState(60);
  const [paper, setPaper] = useState<boolean | null>(null);
  const stop = useRef<(() => void) | null>(null);
  useEffect(() => () => stop.current?.(), []);
  const measure = (): void => {
    const shown = frame.current?.contentDocument;
    if (shown?.body == null) return;
    // A mail without colours of its own has no page: it stands in the bubble like any other text.
    setPaper(getComputedStyle(shown.documentElement).backgroundColor === "rgb(255, 255, 255)");
    onPictures(countPictures(shown));
    const fit = (): void => setHeight(Math.min(HEIGHT_LIMIT_PX, shown.documentElement.scrollHeight));
    const watcher = new ResizeObserver(fit);
    watcher.observe(shown.body);
    // Opening what is folded changes the height without a load.
    stop.current?.();
    stop.current = () => watcher.disconnect();
    fit();
  };
  return (
    <iframe ref={frame} className={paper === null ? "mail-frame mail-loading" : paper ? "mail-frame mail-paper" : "mail-frame"} title="Formatted message" sandbox={SANDBOX} src={address} referrerPolicy="no-referrer"
      style={{ height }} onLoad={measure} />
  );
}
