/** What became of a mail's pictures from elsewhere, and the ways to see them: now, or always from this sender. */
import { useFeed } from "../context";
import { plural } from "../lib/text";
import { Signal } from "../sync/signal";
import { may } from "../sync/state";
import type { Message, Uuid } from "../types.gen";
import { Button } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError } from "../ui/toasts";
import { mailApi } from "./calls";

/** As the hub's document says of itself. */
export interface Pictures {
  readonly blocked: number;
  readonly loaded: number;
  /** Pictures nobody would see, there only to tell the sender that the mail was opened; never loaded. */
  readonly trackers: number;
}

export const NO_PICTURES: Pictures = { blocked: 0, loaded: 0, trackers: 0 };

/** How often a contact's choice was changed here: open mails of theirs are drawn anew. */
export const choices = new Signal<Readonly<Record<Uuid, number>>>({});

export function countPictures(shown: Document): Pictures {
  return {
    blocked: shown.querySelectorAll("img[data-blocked]").length,
    loaded: shown.querySelectorAll('img[src^="/api/v1/images/"]').length,
    trackers: shown.querySelectorAll("img[data-tracker]").length,
  };
}

interface PicturesLineProps {
  readonly message: Message;
  readonly workspaceId: number;
  readonly pictures: Pictures;
  /** The member asked for this mail's pictures. */
  readonly asked: boolean;
  readonly onShow: () => void;
}

export function PicturesLine({ message, workspaceId, pictures, asked, onShow }: PicturesLineProps) {
  const mayWrite = useFeed((state) => may(state, "contacts.write"));
  const sender = message.author_kind === "contact" && mayWrite ? message.author_id : null;
  const { blocked, loaded, trackers } = pictures;
  const keep = (contactId: Uuid, shown: boolean): void => {
    mailApi.showPictures(workspaceId, contactId, shown).then(
      () => choices.set({ ...choices.get(), [contactId]: (choices.get()[contactId] ?? 0) + 1 }),
      (error: unknown) => showError(error, () => keep(contactId, shown)),
    );
  };
  const kept = loaded > 0 && !asked;
  return (
    <>
      {blocked > 0 && !asked && (
        <div className="mail-remote">
          <Icon name="eyeOff" size={14} />
          <span>{plural(blocked, "picture")} not shown: loading {blocked === 1 ? "it" : "them"} tells the sender that this was opened.</span>
          <Button look="ghost" onClick={onShow}>Show {blocked === 1 ? "picture" : "pictures"}</Button>
          {sender !== null && <Button look="ghost" onClick={() => keep(sender, true)}>Always from this sender</Button>}
        </div>
      )}
      {(kept || trackers > 0) && (
        <p className="mail-told">
          {kept && <span>Pictures of this sender are always shown.</span>}
          {kept && sender !== null && <button type="button" className="link-button" onClick={() => keep(sender, false)}>Ask again</button>}
          {trackers > 0 && <span>{plural(trackers, "tracking pixel")} left out.</span>}
        </p>
      )}
    </>
  );
}
