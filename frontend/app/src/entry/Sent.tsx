/** What every form that sends a mail ends with; it looks alike whether or not the address is known. */
import type { ReactNode } from "react";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { EntryPage } from "./EntryPage";

interface SentProps {
  readonly email: string;
  readonly children: ReactNode;
  readonly onAgain: () => void;
}

export function Sent({ email, children, onAgain }: SentProps) {
  return (
    <EntryPage title="Look into your mail" text={<>{children} If nothing comes to <strong>{email}</strong> within some minutes, look among the unwanted mail.</>}>
      <div className="form"><Button onClick={onAgain}>Use another address</Button></div>
      <p className="entry-foot"><Link to={{ page: "sign-in" }}>Back to sign-in</Link></p>
    </EntryPage>
  );
}
