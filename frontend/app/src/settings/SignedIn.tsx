/** Says what came of signing in at a vendor, once the browser is back. */
import { useEffect, useState } from "react";
import { Icon } from "../ui/icons";
import { EXPIRED, parseReturned, readAttempt } from "./signIn";

interface Told {
  readonly ok: boolean;
  readonly message: string;
}

export function SignedIn() {
  const [told, setTold] = useState<Told | null>(null);
  useEffect(() => {
    const returned = parseReturned(window.location.hash);
    if (returned === null) return;
    // Read once: a page that is loaded again says nothing of it.
    window.history.replaceState(window.history.state, "", window.location.pathname + window.location.search);
    if (returned === "expired") {
      setTold({ ok: false, message: EXPIRED });
      return;
    }
    readAttempt(returned.workspace, returned.attempt)
      .then(({ outcome, message }) => setTold({ ok: outcome === "connected", message }))
      .catch(() => setTold({ ok: false, message: EXPIRED }));
  }, []);
  if (told === null) return null;
  return <p className={told.ok ? "notice notice-ok" : "notice notice-bad"} role="status"><Icon name={told.ok ? "check" : "alert"} size={16} />{told.message}</p>;
}
