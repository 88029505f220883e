/** The three panes, their keys, and what a member can do to the conversation on screen. */
import { useCallback, useEffect, useMemo, useRef, useState } from "react";
import { useClient, useFeed, useSignal } from "../context";
import { listenForKeys } from "../lib/keys";
import { navigate } from "../router";
import type { Route } from "../router";
import { isUnread } from "../sync/state";
import type { State } from "../sync/state";
import { Empty } from "../ui/basics";
import { ConversationList } from "./ConversationList";
import { ContactPane } from "./ContactPane";
import { HelpSheet, showHelp } from "./HelpSheet";
import { Nav } from "./Nav";
import { ThreadPane } from "./ThreadPane";
import type { ThreadMenu } from "./ThreadPane";
import { neighbour, selectRows, withPending } from "./list";
import { useActions } from "./useActions";

export type InboxRoute = Extract<Route, { page: "inbox" }>;

const unreadCount = (state: State): number =>
  Object.values(state.conversations).filter((row) => row.status === "open" && isUnread(state, row)).length;

export function InboxPage({ route }: { readonly route: InboxRoute }) {
  const [menu, setMenu] = useState<ThreadMenu | null>(null);
  const [contactShown, setContactShown] = useState(false);
  const onMenu = useCallback((name: ThreadMenu, open: boolean) => setMenu(open ? name : null), []);
  useTitle();
  useInboxKeys(route, setMenu, () => setContactShown(false));
  const { conversation } = route;
  return (
    <>
      <Nav route={route} />
      <main className="inbox" data-shows={conversation === null ? "list" : "thread"} data-contact={contactShown || undefined}>
        <ConversationList route={route} />
        {conversation === null ? <NothingChosen /> : (
          <ThreadPane key={conversation} id={conversation} route={route} menu={menu} onMenu={onMenu}
            onContact={() => setContactShown((shown) => !shown)} />
        )}
        {conversation !== null && <ContactPane key={`contact-${conversation}`} conversationId={conversation} onClose={() => setContactShown(false)} />}
      </main>
      <HelpSheet />
    </>
  );
}

function NothingChosen() {
  const any = useFeed((state) => Object.keys(state.conversations).length > 0);
  return (
    <section className="pane pane-thread" aria-label="Thread">
      {any
        ? <Empty icon="inbox" title="Choose a conversation">Press <kbd className="kbd">J</kbd> for the first one, <kbd className="kbd">?</kbd> for all keys.</Empty>
        : <Empty icon="chat" title="Your conversations will open here" />}
    </section>
  );
}

function useTitle(): void {
  const unread = useFeed(unreadCount);
  const workspace = useFeed((state) => state.workspace.name);
  useEffect(() => {
    document.title = unread > 0 ? `(${unread}) ${workspace}` : `${workspace} · Inbox`;
  }, [unread, workspace]);
}

function useInboxKeys(route: InboxRoute, openMenu: (menu: ThreadMenu | null) => void, closeContact: () => void): void {
  const client = useClient();
  const actions = useActions(route);
  const pending = useSignal(client.pending);
  const latest = useRef({ route, actions, pending });
  latest.current = { route, actions, pending };

  const keys = useMemo(() => {
    const go = (step: 1 | -1): void => {
      const { route: at, pending: overlay } = latest.current;
      const state = client.feed.get();
      if (state === null) return;
      const rows = selectRows(withPending(state.conversations, overlay), { ...at, me: state.me.id, floor: null });
      const next = neighbour(rows, at.conversation, step);
      if (next !== null) navigate({ ...at, conversation: next });
    };
    const chosen = (act: (id: string) => void) => () => {
      const { conversation } = latest.current.route;
      if (conversation !== null) act(conversation);
    };
    const focusComposer = (mode: "message" | "note") => chosen(() => window.dispatchEvent(new CustomEvent("hub:write", { detail: mode })));
    return {
      j: () => go(1),
      k: () => go(-1),
      r: focusComposer("message"),
      n: focusComposer("note"),
      e: chosen((id) => latest.current.actions.toggleClosed(id)),
      u: chosen((id) => latest.current.actions.markUnread(id)),
      s: chosen(() => openMenu("snooze")),
      a: chosen(() => openMenu("assign")),
      "?": () => showHelp.set(true),
      Escape: chosen(() => { closeContact(); navigate({ ...latest.current.route, conversation: null }); }),
    };
  }, [client, openMenu, closeContact]);

  useEffect(() => listenForKeys(() => keys), [keys]);
}
