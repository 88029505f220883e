/** Files on their way into a message, per conversation; they go on while the member looks elsewhere. */
import type { Attachment, Capabilities, Uuid } from "../types.gen";
import { Signal } from "../sync/signal";
import { refusal } from "./kinds";
import { uploadFile, xhrTransport } from "./upload";
import type { Transport } from "./upload";

export interface Upload {
  readonly key: string;
  readonly name: string;
  readonly size_bytes: number;
  readonly mime: string;
  /** 0 to 1. */
  readonly part: number;
  readonly attachment: Attachment | null;
  readonly problem: string;
  /** Worth trying again: the connection failed, not the file. */
  readonly mayRetry: boolean;
}

interface Held {
  readonly file: File;
  readonly stop: AbortController;
}

const NONE: readonly Upload[] = [];

export class Uploads extends Signal<Readonly<Record<Uuid, readonly Upload[]>>> {
  private readonly held = new Map<string, Held>();

  constructor(
    private readonly base: string,
    private readonly forget: (id: Uuid) => Promise<void>,
    private readonly transport: Transport = xhrTransport,
  ) {
    super({});
  }

  of(conversation: Uuid): readonly Upload[] {
    return this.get()[conversation] ?? NONE;
  }

  /** Starts to upload; what the channel does not take is listed with the reason instead. */
  add(conversation: Uuid, files: readonly File[], capabilities: Capabilities | undefined): void {
    for (const file of files) {
      const key = crypto.randomUUID();
      const problem = refusal(file, this.of(conversation).length, capabilities);
      const upload: Upload = { key, name: file.name || "file", size_bytes: file.size, mime: file.type, part: 0, attachment: null, problem, mayRetry: false };
      this.set({ ...this.get(), [conversation]: [...this.of(conversation), upload] });
      this.held.set(key, { file, stop: new AbortController() });
      if (problem === "") void this.run(conversation, key);
    }
  }

  retry(conversation: Uuid, key: string): void {
    this.change(conversation, key, { problem: "", part: 0, mayRetry: false });
    void this.run(conversation, key);
  }

  remove(conversation: Uuid, key: string): void {
    const upload = this.of(conversation).find((one) => one.key === key);
    this.held.get(key)?.stop.abort();
    this.held.delete(key);
    // Swept by the hub after a day anyway: a failure here is nobody's business.
    if (upload?.attachment != null) this.forget(upload.attachment.id).catch(() => undefined);
    this.keep(conversation, this.of(conversation).filter((one) => one.key !== key));
  }

  /** Hands over what is ready, for sending. */
  take(conversation: Uuid): readonly Attachment[] {
    const ready = this.of(conversation).flatMap((one) => (one.attachment === null ? [] : [one.attachment]));
    this.keep(conversation, this.of(conversation).filter((one) => one.attachment === null));
    return ready;
  }

  /** Puts back what a refused message carried. */
  putBack(conversation: Uuid, attachments: readonly Attachment[]): void {
    const back = attachments.map((attachment): Upload => ({
      key: attachment.id, name: attachment.filename, size_bytes: attachment.size_bytes, mime: attachment.mime, part: 1, attachment, problem: "", mayRetry: false,
    }));
    this.keep(conversation, [...this.of(conversation), ...back]);
  }

  private async run(conversation: Uuid, key: string): Promise<void> {
    const held = this.held.get(key);
    if (held === undefined) return;
    try {
      const attachment = await uploadFile(held.file, {
        base: this.base, transport: this.transport, signal: held.stop.signal,
        onProgress: (part) => this.change(conversation, key, { part }),
      });
      this.change(conversation, key, { attachment, part: 1 });
    } catch (error) {
      if (held.stop.signal.aborted) return;
      const problem = error instanceof Error ? error.message : "The file could not be uploaded.";
      const status = typeof error === "object" && error !== null && "status" in error ? Number(error.status) : 0;
      this.change(conversation, key, { problem, mayRetry: status === 0 || status === 429 || status >= 500 });
    }
  }

  private change(conversation: Uuid, key: string, change: Partial<Upload>): void {
    if (!this.of(conversation).some((one) => one.key === key)) return;
    this.keep(conversation, this.of(conversation).map((one) => (one.key === key ? { ...one, ...change } : one)));
  }

  private keep(conversation: Uuid, uploads: readonly Upload[]): void {
    const { [conversation]: _old, ...rest } = this.get();
    this.set(uploads.length === 0 ? rest : { ...rest, [conversation]: uploads });
  }
}
