// The launcher and the panel in an open shadow root, built node by node: pages with Trusted Types allow no HTML text.
import { inkOn, parseHex } from "../color.ts";
import { STYLE } from "./style.ts";

const BUBBLE = "M21 11.5a8.4 8.4 0 0 1-12.2 7.5L3 21l2-5.8A8.4 8.4 0 1 1 21 11.5Z";
const CHEVRON = "m6 9.5 6 6 6-6";
const SVG = "http://www.w3.org/2000/svg";

export interface View {
  host: HTMLElement;
  root: HTMLElement;
  launcher: HTMLButtonElement;
  panel: HTMLElement;
  badge: HTMLElement;
}

export function buildView(): View {
  const host = document.createElement("hub-chat");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];

  const root = element("div", { role: "complementary", "aria-label": "Live chat" });
  const panel = element("section", { role: "dialog", "aria-label": "Live chat" });
  panel.hidden = true;
  const launcher = element("button", { type: "button", "aria-expanded": "false" });
  const badge = element("span", { role: "status" });
  badge.hidden = true;
  launcher.append(icon("b", BUBBLE), icon("x", CHEVRON), badge);
  root.append(launcher, panel);
  shadow.append(root);
  return { host, root, launcher, panel, badge };
}

export function paint(root: HTMLElement, color: string | undefined, ink?: string): void {
  if (!color) return;
  const parsed = parseHex(color);
  root.style.setProperty("--c", color);
  root.style.setProperty("--i", ink ?? (parsed ? inkOn(parsed) : "#fff"));
}

/** Keeps the full-screen panel above a phone's keyboard, which covers the page without resizing it. */
export function followViewport(panel: HTMLElement): void {
  const view = window.visualViewport;
  view?.addEventListener("resize", () => {
    if (view.scale > 1.01) return;
    panel.style.setProperty("--h", view.height + "px");
    panel.style.setProperty("--t", view.offsetTop + "px");
  });
}

export function element<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string>,
): HTMLElementTagNameMap[K] {
  const made = document.createElement(name);
  for (const key in attributes) made.setAttribute(key, attributes[key]!);
  return made;
}

function icon(name: string, path: string): SVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const line = document.createElementNS(SVG, "path");
  svg.setAttribute("class", name);
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  line.setAttribute("d", path);
  svg.append(line);
  return svg;
}
