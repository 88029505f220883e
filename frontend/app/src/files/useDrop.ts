/** Files dropped on an element or pasted into it. */
import { useRef, useState } from "react";
import type { ClipboardEvent, DragEvent } from "react";

export function useDrop(onFiles: (files: readonly File[]) => void, enabled: boolean) {
  const [over, setOver] = useState(false);
  // Entering a child leaves its parent: only when as many were left as entered is the pointer really out.
  const depth = useRef(0);
  const carries = (event: DragEvent): boolean => enabled && event.dataTransfer.types.includes("Files");
  const handlers = {
    onDragEnter: (event: DragEvent) => {
      if (!carries(event)) return;
      depth.current += 1;
      setOver(true);
    },
    onDragOver: (event: DragEvent) => {
      if (carries(event)) event.preventDefault();
    },
    onDragLeave: (event: DragEvent) => {
      if (!carries(event)) return;
      depth.current = Math.max(0, depth.current - 1);
      if (depth.current === 0) setOver(false);
    },
    onDrop: (event: DragEvent) => {
      if (!carries(event)) return;
      event.preventDefault();
      depth.current = 0;
      setOver(false);
      onFiles([...event.dataTransfer.files]);
    },
    onPaste: (event: ClipboardEvent) => {
      const files = [...event.clipboardData.files];
      // A copied table comes as text and as a picture of itself: the text is meant.
      if (!enabled || files.length === 0 || event.clipboardData.types.includes("text/plain")) return;
      event.preventDefault();
      onFiles(files);
    },
  };
  return { over, handlers };
}
