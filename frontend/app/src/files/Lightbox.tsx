/** One picture as large as the window, with its neighbours a key away. */
import { useEffect } from "react";
import { useClient } from "../context";
import type { Attachment } from "../types.gen";
import { IconButton } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { sizeText } from "./kinds";
import { fileUrl } from "./links";

interface LightboxProps {
  readonly files: readonly Attachment[];
  readonly file: Attachment;
  readonly onMove: (file: Attachment) => void;
  readonly onClose: () => void;
}

export function Lightbox({ files, file, onMove, onClose }: LightboxProps) {
  const { workspaceId } = useClient();
  const index = files.findIndex((one) => one.id === file.id);
  const before = files[index - 1];
  const after = files[index + 1];
  useEffect(() => {
    const onKey = (event: KeyboardEvent): void => {
      if (event.key === "ArrowLeft" && before !== undefined) onMove(before);
      if (event.key === "ArrowRight" && after !== undefined) onMove(after);
    };
    window.addEventListener("keydown", onKey);
    return () => window.removeEventListener("keydown", onKey);
  }, [before, after, onMove]);
  const original = fileUrl(workspaceId, file.id, "original");
  return (
    <Dialog title={file.filename} className="lightbox" onClose={onClose}>
      <div className="lightbox-stage">
        {before !== undefined && <IconButton icon="back" label="Previous" className="lightbox-step lightbox-before" onClick={() => onMove(before)} />}
        <img key={file.id} src={file.has_preview ? fileUrl(workspaceId, file.id, "preview") : original} alt={file.filename} />
        {after !== undefined && <IconButton icon="right" label="Next" className="lightbox-step lightbox-after" onClick={() => onMove(after)} />}
      </div>
      <footer className="lightbox-foot">
        <span>{[files.length > 1 ? `${index + 1} of ${files.length}` : "", file.has_preview ? "First page" : "", sizeText(file.size_bytes)].filter((part) => part !== "").join(" · ")}</span>
        <a className="button button-quiet" href={`${original}&download=1`} download={file.filename}><Icon name="download" size={16} />Download</a>
      </footer>
    </Dialog>
  );
}
