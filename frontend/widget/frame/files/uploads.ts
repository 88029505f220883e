// The visitor's files on their way to the hub: whole up to 8 MiB, in parts above, going on after a lost connection.
import type { VisitorFile } from "../frames.ts";

const WHOLE_BYTES = 8 * 1024 * 1024;
const TRIES = 5;
export const COUNT_LIMIT = 10;

export interface Upload {
  readonly key: string;
  readonly name: string;
  /** 0 ≤ x ≤ 1 */
  progress: number;
  file?: VisitorFile;
  error?: string;
}

export interface Wire {
  /** The visitor's token; null before there is a visitor. */
  token(): string | null;
  /** Sends bytes or JSON; answers status and JSON, status 0 without an answer. */
  send(method: string, path: string, body: Blob | object | null, offset: number | null, progress: (sent: number) => void): Promise<Answer>;
  pause(ms: number): Promise<void>;
}

export interface Answer {
  status: number;
  body: { attachment?: VisitorFile; upload?: { offset: number; chunk_bytes: number }; message?: string };
}

export interface Uploads {
  items(): readonly Upload[];
  add(files: Iterable<File>): void;
  remove(key: string): void;
  /** There may be a visitor now. */
  wake(): void;
  take(): readonly VisitorFile[] | null;
}

export function openUploads(wire: Wire, changed: () => void): Uploads {
  let items: Upload[] = [];
  let waiting: (() => void)[] = [];
  let count = 0;

  async function run(upload: Upload, blob: File): Promise<void> {
    try {
      const file = blob.size > WHOLE_BYTES ? await inParts(upload, blob) : await whole(upload, blob);
      if (file?.state === "ready") upload.file = file;
      else upload.error = file?.error ?? "It could not be sent.";
    } catch (error) {
      upload.error = String(error instanceof Error ? error.message : error);
    }
    upload.progress = 1;
    changed();
  }

  async function whole(upload: Upload, blob: File): Promise<VisitorFile | undefined> {
    const path = "?filename=" + encodeURIComponent(blob.name) + "&mime=" + encodeURIComponent(blob.type);
    const answer = await patiently(() => wire.send("POST", path, blob, null, report(upload, 0, blob.size)));
    return answer.body.attachment;
  }

  async function inParts(upload: Upload, blob: File): Promise<VisitorFile | undefined> {
    const begun = await patiently(() =>
      wire.send("POST", "", { filename: blob.name, mime: blob.type, size_bytes: blob.size }, null, () => {}),
    );
    let file = begun.body.attachment;
    let { offset, chunk_bytes } = begun.body.upload!;
    while (file?.state === "pending" && items.includes(upload)) {
      const part = blob.slice(offset, offset + chunk_bytes);
      const answer = await patiently(
        () => wire.send("PATCH", `/${file!.id}/content`, part, offset, report(upload, offset, blob.size)),
        409,
      );
      // Also where the answer to an earlier try was lost: the hub says where it is.
      offset = answer.body.upload!.offset;
      file = answer.body.attachment ?? file;
    }
    return file;
  }

  /** Repeats what did not reach the hub; a refusal is final. */
  async function patiently(attempt: () => Promise<Answer>, fine = -1): Promise<Answer> {
    for (let tries = 1; ; tries++) {
      const answer = await attempt();
      if ((answer.status >= 200 && answer.status < 300) || answer.status === fine) return answer;
      if ((answer.status && answer.status < 500) || tries >= TRIES) throw new Error(answer.body.message ?? "It could not be sent.");
      await wire.pause(1000 * 2 ** tries);
    }
  }

  function report(upload: Upload, before: number, size: number): (sent: number) => void {
    return (sent) => {
      upload.progress = Math.min(1, (before + sent) / (size || 1));
      changed();
    };
  }

  return {
    items: () => items,
    add(files) {
      for (const blob of files) {
        if (items.length >= COUNT_LIMIT) break;
        const upload: Upload = { key: "f" + ++count, name: blob.name, progress: 0 };
        items = [...items, upload];
        if (wire.token()) void run(upload, blob);
        else waiting.push(() => void run(upload, blob));
      }
      changed();
    },
    remove(key) {
      const gone = items.find((item) => item.key === key);
      items = items.filter((item) => item !== gone);
      if (gone?.file) void wire.send("DELETE", "/" + gone.file.id, null, null, () => {});
      changed();
    },
    wake() {
      if (!wire.token()) return;
      const due = waiting;
      waiting = [];
      for (const begin of due) begin();
    },
    take() {
      if (items.some(({ file, error }) => !file && !error)) return null;
      const files = items.flatMap(({ file }) => file ?? []);
      items = [];
      return files;
    },
  };
}
