/** The files of a message: pictures as pictures, sound and video to play, the rest with name and size. */
import { useState } from "react";
import { useClient } from "../context";
import type { Attachment } from "../types.gen";
import { Icon } from "../ui/icons";
import { kindIcon, sizeText } from "./kinds";
import { fileUrl } from "./links";
import { Lightbox } from "./Lightbox";
import "./files.css";

export function Attachments({ attachments }: { readonly attachments: readonly Attachment[] }) {
  const { workspaceId } = useClient();
  const [opened, setOpened] = useState<Attachment | null>(null);
  const listed = attachments.filter((file) => !file.inline);
  if (listed.length === 0) return null;
  const pictures = listed.filter(isPicture);
  const others = listed.filter((file) => !isPicture(file));
  return (
    <div className="files">
      {pictures.length > 0 && (
        <div className="pictures" data-count={Math.min(pictures.length, 4)}>
          {pictures.map((file) => (
            <button type="button" className="picture" key={file.id} onClick={() => setOpened(file)} aria-label={`Open ${file.filename}`}>
              <img src={fileUrl(workspaceId, file.id, "thumbnail")} alt={file.filename} loading="lazy" decoding="async" {...sizeOf(file)} />
              {file.kind === "file" && <span className="picture-name"><Icon name="file" size={12} />{file.filename}</span>}
            </button>
          ))}
        </div>
      )}
      {others.map((file) => <Other key={file.id} file={file} workspaceId={workspaceId} />)}
      {opened !== null && <Lightbox files={pictures} file={opened} onMove={setOpened} onClose={() => setOpened(null)} />}
    </div>
  );
}

/** Has a small picture of itself: an image, or a document's first page. */
const isPicture = (file: Attachment): boolean => file.state === "ready" && file.has_thumbnail;

/** Known sizes keep the thread from jumping when pictures arrive. */
const sizeOf = ({ width, height }: Attachment): { width?: number; height?: number } =>
  width === null || height === null ? {} : { width, height };

function Other({ file, workspaceId }: { readonly file: Attachment; readonly workspaceId: number }) {
  const url = fileUrl(workspaceId, file.id, "original");
  if (file.state === "pending") {
    return <p className="file file-pending" role="status"><span className="spinner" aria-hidden="true" /><span className="file-name">{file.filename}</span><span className="file-size">on its way</span></p>;
  }
  if (file.state === "failed") {
    return <p className="file file-failed"><Icon name="alert" size={16} /><span className="file-name">{file.filename}</span><span className="file-size">{file.error ?? "could not be fetched"}</span></p>;
  }
  if (file.kind === "audio") {
    return (
      <div className="file-player">
        {/* A customer's voice message has no captions. */}
        {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
        <audio controls preload="none" src={url} aria-label={file.filename} />
        <FileLine file={file} url={url} />
      </div>
    );
  }
  if (file.kind === "video") {
    return (
      <div className="file-player">
        {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
        <video controls preload="metadata" src={url} aria-label={file.filename} />
        <FileLine file={file} url={url} />
      </div>
    );
  }
  return <FileLine file={file} url={url} />;
}

function FileLine({ file, url }: { readonly file: Attachment; readonly url: string }) {
  return (
    <a className="file" href={`${url}&download=1`} download={file.filename}>
      <Icon name={kindIcon(file.kind)} size={16} />
      <span className="file-name">{file.filename}</span>{" "}
      <span className="file-size">{sizeText(file.size_bytes)}</span>
      <Icon name="download" size={14} />
    </a>
  );
}
