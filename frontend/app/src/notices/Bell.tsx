/** The bell in the rail: how much is unread, and a toast for what comes while something else is on screen. */
import { useEffect } from "react";
import { useClient, useSignal } from "../context";
import { Link, currentRoute, navigate, useRoute } from "../router";
import { Icon } from "../ui/icons";
import { showToast } from "../ui/toasts";
import { named, say, target } from "./words";

export function Bell() {
  const { notices } = useClient();
  const { unread } = useSignal(notices.signal);
  const route = useRoute();
  useToasts();
  return (
    <Link to={{ page: "notices" }} className="rail-item" title="Notifications" aria-current={route.page === "notices" ? "page" : undefined}
      aria-label={unread === 0 ? "Notifications" : `Notifications, ${unread} unread`}>
      <Icon name="bell" size={20} />
      {unread > 0 && <span className="rail-count" aria-hidden="true">{unread > 99 ? "99+" : unread}</span>}
      <span role="status" className="unseen">{unread === 0 ? "" : `${unread} unread`}</span>
    </Link>
  );
}

function useToasts(): void {
  const { notices, feed } = useClient();
  useEffect(() => {
    notices.onArrived = (notice) => {
      const at = currentRoute();
      if (at.page === "inbox" && at.conversation !== null && at.conversation === notice.conversation_id) return;
      const to = target(notice);
      showToast(say(named(notice, feed.get())), { action: to === null ? null : { label: "Open", run: () => navigate(to) } });
    };
    return () => {
      notices.onArrived = null;
    };
  }, [notices, feed]);
}
