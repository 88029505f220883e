/** How a connected account does: what it reads now, when it last brought something, what went wrong. */
import { useMinute } from "../inbox/useMinute";
import { ago } from "../lib/time";
import type { Health as AccountHealth } from "../types.gen";
import { Icon } from "../ui/icons";

export function Health({ health }: { readonly health: AccountHealth }) {
  const now = useMinute();
  const { progress, error, last_item_at } = health;
  return (
    <>
      {error !== null && error !== "" && <p className="notice notice-bad" role="status"><Icon name="alert" size={16} />{error}</p>}
      {progress !== null && progress.done < progress.total && (
        <div className="progress-line" role="status">
          <span>{progress.what}</span>
          <progress max={progress.total} value={progress.done} aria-label={progress.what} />
          <span className="progress-count">{progress.done.toLocaleString()} of {progress.total.toLocaleString()}</span>
        </div>
      )}
      {last_item_at !== null && <p className="account-last">Last message {ago(last_item_at, now)}</p>}
    </>
  );
}
