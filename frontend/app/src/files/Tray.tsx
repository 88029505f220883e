/** Files that will go with the message being written: progress, reason where one is not taken, and a way out. */
import type { Conversation } from "../types.gen";
import { useClient, useSignal } from "../context";
import { Button, IconButton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { kindIcon, sizeText } from "./kinds";
import type { Upload } from "./uploads";
import "./files.css";

export function Tray({ conversation }: { readonly conversation: Conversation }) {
  const { uploads } = useClient();
  const held = useSignal(uploads)[conversation.id];
  if (held === undefined) return null;
  return (
    <ul className="tray" aria-label="Files to send">
      {held.map((upload) => (
        <li key={upload.key} className={upload.problem === "" ? "tray-file" : "tray-file tray-bad"}>
          <Icon name={upload.problem === "" ? kindIcon(upload.mime.split("/")[0] ?? "") : "alert"} size={16} />
          <span className="tray-text">
            <span className="file-name">{upload.name}</span>
            <span className="file-size" role={upload.problem === "" ? undefined : "alert"}>{state(upload)}</span>
          </span>
          {upload.mayRetry && <Button look="ghost" onClick={() => uploads.retry(conversation.id, upload.key)}>Retry</Button>}
          <IconButton icon="close" label={`Remove ${upload.name}`} onClick={() => uploads.remove(conversation.id, upload.key)} />
          {upload.attachment === null && upload.problem === "" && (
            <progress className="tray-progress" max={1} value={upload.part} aria-label={`Uploading ${upload.name}`} />
          )}
        </li>
      ))}
    </ul>
  );
}

function state({ problem, attachment, part, size_bytes }: Upload): string {
  if (problem !== "") return problem;
  if (attachment !== null) return sizeText(size_bytes);
  return part < 1 ? `${Math.floor(part * 100)} % of ${sizeText(size_bytes)}` : "Being checked…";
}
