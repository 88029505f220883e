/** The frame of every screen before the inbox. */
import type { ReactNode } from "react";
import logo from "../icon.svg";
import "./entry.css";

interface EntryPageProps {
  readonly title: string;
  readonly text?: ReactNode;
  readonly wide?: boolean;
  readonly children: ReactNode;
}

export function EntryPage({ title, text, wide = false, children }: EntryPageProps) {
  return (
    <main className="entry">
      <div className={wide ? "entry-card entry-wide" : "entry-card"}>
        <img src={logo} alt="" width={36} height={36} />
        <h1>{title}</h1>
        {text !== undefined && <p className="entry-text">{text}</p>}
        {children}
      </div>
    </main>
  );
}
