/** Where the bytes of a file are; the hub sends the browser on to a short-lived address. */
import type { Uuid } from "../types.gen";

export type Variant = "original" | "thumbnail" | "preview";

export const fileUrl = (workspaceId: number, id: Uuid, variant: Variant): string =>
  `/api/v1/workspaces/${workspaceId}/attachments/${id}?variant=${variant}`;
