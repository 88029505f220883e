/** What mail asks of the hub beyond what the inbox does. */
import { call } from "../api";
import type { Uuid } from "../types.gen";

export const mailApi = {
  /** Shows pictures of a contact's mails to everybody here without being asked, or asks again. */
  showPictures: (workspaceId: number, contactId: Uuid, shown: boolean) =>
    call<void>("PUT", `/workspaces/${workspaceId}/contacts/${contactId}/pictures`, { shown }),
};
