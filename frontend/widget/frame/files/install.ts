// Loaded after the chat is drawn: choosing, pasting and dropping files, showing those of the thread, and the sound.
import type { VisitorFile } from "../frames.ts";
import type { Host } from "../plug.ts";
import { h, type Child } from "../views/dom.ts";
import { preChat } from "./prechat.ts";
import { STYLE } from "./style.ts";
import { openUploads, type Answer, type Upload, type Wire } from "./uploads.ts";

const CLIP = "m20 11-8.5 8.5a5 5 0 0 1-7-7l9-9a3.5 3.5 0 0 1 5 5l-9 9a2 2 0 0 1-3-3l8-8";
const GONE_S = 60;

interface Link {
  url: string;
  thumbnail_url: string | null;
  expires_at: string;
}

declare const host: Host;

const { plug } = host;
install();

function install(): void {
  const base = "/api/v1/livechat/" + encodeURIComponent(host.channel) + "/attachments";
  const links = new Map<string, Link | null>();
  const uploads = openUploads(browserWire(base), host.redraw);
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];

  const add = (files: Iterable<File> | null | undefined) => {
    if (!files || ![...files].length) return false;
    if (!host.token()) host.begin();
    uploads.add(files);
    return true;
  };
  document.addEventListener("paste", (event) => add(event.clipboardData?.files) && event.preventDefault());
  document.addEventListener("dragover", (event) => event.preventDefault());
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    add(event.dataTransfer?.files);
  });

  /** Addresses end after a quarter of an hour: asked for when a file is drawn, and again when they are too old. */
  function linkOf(id: string): Link | null {
    const known = links.get(id);
    if (known && Date.parse(known.expires_at) > Date.now() + GONE_S * 1000) return known;
    if (!links.has(id) || known) {
      links.set(id, null);
      void fetch(`${base}/${id}`, { headers: { authorization: "Bearer " + host.token() }, credentials: "omit" })
        .then(async (answer) => answer.ok && links.set(id, (await answer.json()) as Link))
        .catch(() => links.delete(id))
        .then(host.redraw);
    }
    return known ?? null;
  }

  function shown(file: VisitorFile): Child {
    const link = linkOf(file.id);
    const target = { key: file.id, href: link?.url, target: "_blank", rel: "noopener noreferrer" };
    if (file.kind === "image" && link?.thumbnail_url) {
      const scale = Math.min(1, 220 / Math.max(file.width ?? 1, file.height ?? 1));
      const size = { width: Math.round((file.width ?? 1) * scale), height: Math.round((file.height ?? 1) * scale) };
      return h("a", { ...target, class: "picture" }, h("img", { src: link.thumbnail_url, alt: file.filename, loading: "lazy", ...size }));
    }
    return h("a", { ...target, class: "file" }, h("bdi", null, file.filename), h("small", null, sizeOf(file.size_bytes)));
  }

  plug.show = (files) => !!files?.length && h("div", { class: "files" }, files.map(shown));
  plug.take = () => {
    const files = uploads.take();
    plug.count = uploads.items().length;
    return files;
  };
  plug.tray = () => {
    uploads.wake();
    plug.count = uploads.items().length;
    const choose = (event: Event) => {
      const field = event.target as HTMLInputElement;
      add(field.files);
      field.value = "";
    };
    return [
      h("ul", { class: "chosen" }, uploads.items().map(chip)),
      h(
        "label",
        { class: "clip", title: "Attach a file" },
        h("input", { type: "file", multiple: true, "aria-label": "Attach a file", onchange: choose }),
        h("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, h("path", { d: CLIP })),
      ),
    ];
  };

  function chip(upload: Upload): Child {
    const { key, name, progress, file, error } = upload;
    const how = error ?? (file ? sizeOf(file.size_bytes) : `${Math.round(progress * 100)} %`);
    return h(
      "li",
      { key, class: error && "failed" },
      h("bdi", null, name),
      h("small", { role: "status" }, how),
      h("button", { type: "button", "aria-label": "Remove " + name, onclick: () => uploads.remove(key) }, "×"),
    );
  }

  plug.form = (config, complaint, fill) => preChat(config, complaint, fill);
  let context: AudioContext | undefined;
  plug.play = () => void play();
  async function play(): Promise<void> {
    context ??= new AudioContext();
    // After a reload the browser holds sound back until the first click; until then there is none, silently.
    await context.resume();
    const gain = new GainNode(context, { gain: 0.08 });
    const tone = new OscillatorNode(context, { frequency: 660 });
    gain.gain.setTargetAtTime(0, context.currentTime, 0.1);
    tone.connect(gain).connect(context.destination);
    tone.start();
    tone.stop(context.currentTime + 0.6);
  }
  host.redraw();
}

export function sizeOf(bytes: number): string {
  const step = bytes < 1e6 ? 1e3 : 1e6;
  return `${Math.max(0.1, bytes / step).toFixed(bytes >= 10 * step ? 0 : 1)} ${step === 1e3 ? "kB" : "MB"}`;
}

function browserWire(base: string): Wire {
  const { token } = host;
  return {
    token,
    pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    // Not fetch: it tells nothing of what has left.
    send: (method, path, body, offset, progress) =>
      new Promise<Answer>((resolve) => {
        const request = new XMLHttpRequest();
        request.open(method, base + path);
        request.setRequestHeader("authorization", "Bearer " + token());
        request.setRequestHeader("x-hub-request", "1");
        if (offset !== null) request.setRequestHeader("upload-offset", String(offset));
        request.upload.onprogress = ({ loaded }) => progress(loaded);
        request.onloadend = () => resolve({ status: request.status, body: read(request.responseText) });
        request.send(body === null || body instanceof Blob ? body : JSON.stringify(body));
      }),
  };
}

function read(text: string): Answer["body"] {
  try {
    return JSON.parse(text) as Answer["body"];
  } catch {
    return {};
  }
}
