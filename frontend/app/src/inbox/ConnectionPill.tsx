/** How the connection to the hub is doing, in words; quiet while it is live. */
import { useEffect, useState } from "react";
import { useClient, useSignal } from "../context";
import type { Connection } from "../sync/socket";

function useCountdown(until_ms: number | null): number {
  const [seconds, setSeconds] = useState(0);
  useEffect(() => {
    if (until_ms === null) return;
    const update = (): void => setSeconds(Math.max(0, Math.ceil((until_ms - Date.now()) / 1000)));
    update();
    const timer = setInterval(update, 500);
    return () => clearInterval(timer);
  }, [until_ms]);
  return seconds;
}

function words(connection: Connection, seconds: number): string {
  switch (connection.phase) {
    case "connecting": return "Connecting…";
    case "catching_up": return "Catching up…";
    case "live": return "Live";
    case "offline": return "Offline";
    case "waiting": return seconds > 0 ? `Reconnecting in ${seconds} s` : "Reconnecting…";
    case "stopped": return connection.code === 4500 ? "Reload to update" : "Disconnected";
  }
}

export function ConnectionPill() {
  const client = useClient();
  const connection = useSignal(client.connectionSignal);
  const seconds = useCountdown(connection.phase === "waiting" ? connection.until_ms : null);
  const text = words(connection, seconds);
  const body = <><span className="pill-dot" aria-hidden="true" />{text}</>;
  const className = `pill pill-${connection.phase}`;
  if (connection.phase === "waiting") {
    return <button type="button" className={className} title="Try now" onClick={() => client.wake()}>{body}</button>;
  }
  if (connection.phase === "stopped") {
    return <button type="button" className={className} title={connection.reason} onClick={() => window.location.reload()}>{body}</button>;
  }
  return <span className={className} role="status">{body}</span>;
}
