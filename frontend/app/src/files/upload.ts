/**
 * Brings one file to the hub: small ones in one call, larger ones in pieces that go on where a broken connection left
 * them. Knows nothing of screens.
 */
import { ApiError } from "../api";
import type { Attachment } from "../types.gen";

export const WHOLE_LIMIT_BYTES = 8 * 1024 * 1024;
const TRIES = 5;
const RETRY_MS = 800;

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

export interface Request {
  readonly method: "GET" | "POST" | "PATCH";
  readonly path: string;
  readonly body?: Blob | string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly onSent?: (bytes: number) => void;
  readonly signal: AbortSignal;
}

/** One HTTP call that tells how much of its body has left; rejects only when no answer came. */
export type Transport = (request: Request) => Promise<Answer>;

interface UploadState {
  readonly attachment: Attachment;
  readonly upload: { readonly offset: number; readonly chunk_bytes: number } | null;
}

export interface UploadOptions {
  readonly base: string;
  readonly transport: Transport;
  readonly signal: AbortSignal;
  /** Called with the part that has arrived, 0 to 1. */
  readonly onProgress: (part: number) => void;
  readonly wait?: (delay_ms: number) => Promise<void>;
}

/**
 * Uploads a file.
 *
 * @returns the attachment, ready to be sent.
 * @throws ApiError with the hub's words, or "offline" after the last try.
 */
export async function uploadFile(file: File, options: UploadOptions): Promise<Attachment> {
  return file.size <= WHOLE_LIMIT_BYTES ? uploadWhole(file, options) : uploadPieces(file, options);
}

async function uploadWhole(file: File, { base, transport, signal, onProgress }: UploadOptions): Promise<Attachment> {
  const path = `${base}/attachments?${new URLSearchParams({ filename: file.name || "file", mime: file.type }).toString()}`;
  const answer = await transport({
    method: "POST", path, body: file, signal, headers: { "Content-Type": file.type || "application/octet-stream" },
    onSent: (bytes) => onProgress(share(bytes, file.size)),
  }).catch(offline);
  return (readAnswer(answer) as UploadState).attachment;
}

async function uploadPieces(file: File, options: UploadOptions): Promise<Attachment> {
  const { base, transport, signal, onProgress } = options;
  const declared = JSON.stringify({ filename: file.name || "file", size_bytes: file.size, mime: file.type });
  const headers = { "Content-Type": "application/json" };
  let state = readAnswer(await transport({ method: "POST", path: `${base}/attachments`, body: declared, headers, signal }).catch(offline)) as UploadState;
  const path = `${base}/attachments/${state.attachment.id}`;
  let failures = 0;
  while (state.upload !== null && state.upload.offset < file.size) {
    const { offset, chunk_bytes } = state.upload;
    try {
      const piece = file.slice(offset, offset + chunk_bytes);
      const answer = await transport({
        method: "PATCH", path: `${path}/content`, body: piece, signal,
        headers: { "Content-Type": "application/octet-stream", "Upload-Offset": String(offset) },
        onSent: (bytes) => onProgress(share(offset + bytes, file.size)),
      });
      // Somebody else's piece came first, or ours arrived though its answer did not: ask how far it is.
      state = answer.status === 409 ? await askState(path, options) : (readAnswer(answer) as UploadState);
      failures = 0;
    } catch (error) {
      if (signal.aborted || (error instanceof ApiError && error.status < 500) || ++failures >= TRIES) throw toOffline(error);
      await (options.wait ?? pause)(RETRY_MS * 2 ** failures);
      state = await askState(path, options).catch(() => state);
    }
  }
  return state.attachment;
}

async function askState(path: string, { transport, signal }: UploadOptions): Promise<UploadState> {
  return readAnswer(await transport({ method: "GET", path: `${path}/upload`, signal })) as UploadState;
}

function readAnswer({ status, body }: Answer): unknown {
  if (status >= 200 && status < 300) return body;
  const said = (typeof body === "object" && body !== null ? body : {}) as Partial<ApiError>;
  throw new ApiError(status, said.code ?? "unavailable", said.message ?? "The file could not be taken. Try again.", said.field ?? null);
}

const toOffline = (error: unknown): unknown =>
  error instanceof ApiError || isAbort(error) ? error : new ApiError(0, "offline", "The connection broke while the file was on its way. Try again.");

// By its name: the signal's reason may come from another realm than this one's DOMException.
const isAbort = (error: unknown): boolean => typeof error === "object" && error !== null && "name" in error && error.name === "AbortError";

const offline = (error: unknown): never => {
  throw toOffline(error);
};

const share = (bytes: number, size: number): number => (size === 0 ? 1 : Math.min(1, bytes / size));

const pause = (delay_ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, delay_ms));

/** The browser's own way: fetch cannot tell how much has been sent. */
export const xhrTransport: Transport = ({ method, path, body, headers, onSent, signal }) => new Promise((resolve, reject) => {
  const request = new XMLHttpRequest();
  request.open(method, `/api/v1${path}`);
  request.responseType = "json";
  if (method !== "GET") request.setRequestHeader("X-Hub-Request", "1");
  for (const [name, value] of Object.entries(headers ?? {})) request.setRequestHeader(name, value);
  request.upload.addEventListener("progress", (event) => onSent?.(event.loaded));
  request.addEventListener("load", () => resolve({ status: request.status, body: request.response as unknown }));
  request.addEventListener("error", () => reject(new Error("no answer")));
  request.addEventListener("abort", () => reject(new DOMException("Cancelled", "AbortError")));
  signal.addEventListener("abort", () => request.abort(), { once: true });
  request.send(body ?? null);
});
