/** What can be done to one message: reply, react, edit, delete, copy; on hover, by keyboard, by touch. */
import { useState } from "react";
import { useClient, useFeed, useManifest } from "../context";
import { may } from "../sync/state";
import type { Conversation, Message } from "../types.gen";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, useMenu } from "../ui/menu";
import { showError, showToast } from "../ui/toasts";
import { aim, doable } from "./changing";

const EMOJIS = [
  "👍", "❤️", "😂", "🎉", "🙏", "👀", "✅", "🔥", "👏", "😊", "😍", "😅",
  "🤔", "😮", "😢", "😡", "💯", "🚀", "⭐", "👋", "🤝", "💪", "👎", "❌",
];

interface MessageMenuProps {
  readonly message: Message;
  readonly conversation: Conversation;
  readonly onDelete: () => void;
}

export function MessageMenu({ message, conversation, onDelete }: MessageMenuProps) {
  const client = useClient();
  const manifest = useManifest(conversation.channel);
  const me = useFeed((state) => state.me.id);
  const mayReply = useFeed((state) => may(state, "inbox.reply"));
  const moderates = useFeed((state) => may(state, "inboxes.manage"));
  const menu = useMenu();
  const picker = useMenu();
  const can = doable(message, manifest?.capabilities, { me, mayReply, moderates }, Date.now());
  const copy = (): void => {
    navigator.clipboard.writeText(message.text).then(() => showToast("Copied"), () => showToast("The browser did not allow copying.", { tone: "bad" }));
  };
  const pick = (emoji: string): void => {
    const held = message.reactions.some((one) => one.emoji === emoji && one.author_id === me);
    client.api.react(conversation.id, message.id, emoji, !held).catch(showError);
  };
  if (!can.react && !can.reply && !can.edit && !can.remove && message.text === "") return null;
  return (
    <div className={menu.open || picker.open ? "bubble-acts bubble-acts-open" : "bubble-acts"}>
      {can.react && (
        <span className="bubble-react"><Menu label="React" open={picker.open} onOpen={picker.onOpen} align={message.direction === "inbound" && message.kind !== "note" ? "start" : "end"} buttonClass="icon-button bubble-act" button={<><span aria-hidden="true">☺</span><span className="unseen">React</span></>}>
          <EmojiPicker onPick={(emoji) => { picker.onOpen(false); pick(emoji); }} />
        </Menu></span>
      )}
      <Menu label="More" open={menu.open} onOpen={menu.onOpen} align={message.direction === "inbound" && message.kind !== "note" ? "start" : "end"} buttonClass="icon-button bubble-act" button={<><Icon name="more" size={16} /><span className="unseen">What to do with this message</span></>}>
        {can.reply && <MenuItem icon={<Icon name="reply" size={15} />} onSelect={() => aim({ what: "reply", message })}>Reply</MenuItem>}
        {can.react && <MenuItem icon={<span aria-hidden="true">☺</span>} onSelect={() => picker.onOpen(true)}>React</MenuItem>}
        {can.edit && <MenuItem icon={<Icon name="edit" size={15} />} onSelect={() => aim({ what: "edit", message })}>Edit</MenuItem>}
        {message.text !== "" && <MenuItem icon={<Icon name="copy" size={15} />} onSelect={copy}>Copy text</MenuItem>}
        {can.remove && <MenuItem danger icon={<Icon name="trash" size={15} />} onSelect={onDelete}>Delete</MenuItem>}
      </Menu>
    </div>
  );
}

function EmojiPicker({ onPick }: { readonly onPick: (emoji: string) => void }) {
  const [other, setOther] = useState("");
  return (
    <div className="emoji-picker">
      {EMOJIS.map((emoji) => (
        <button key={emoji} type="button" role="menuitem" tabIndex={-1} className="emoji" aria-label={`React with ${emoji}`} onClick={() => onPick(emoji)}>{emoji}</button>
      ))}
      <form className="emoji-other" onSubmit={(event) => { event.preventDefault(); if (other.trim() !== "") onPick(other.trim()); }}>
        <input value={other} maxLength={32} aria-label="Another emoji" placeholder="Another emoji" onChange={(event) => setOther(event.target.value)}
          onKeyDown={(event) => { if (event.key !== "Escape" && event.key !== "Tab") event.stopPropagation(); }} />
      </form>
    </div>
  );
}
