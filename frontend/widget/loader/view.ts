// The launcher and the panel in an open shadow root, built node by node: pages with Trusted Types allow no HTML text.
import { STYLE } from "./style.ts";

const BUBBLE = "M21 11.5a8.4 8.4 0 0 1-12.2 7.5L3 21l2-5.8A8.4 8.4 0 1 1 21 11.5Z";
const CHEVRON = "m6 9 6 6 6-6";
const SVG = "http://www.w3.org/2000/svg";

export interface View {
  host: HTMLElement;
  root: HTMLElement;
  launcher: HTMLElement;
  panel: HTMLElement;
  badge: HTMLElement;
}

export function buildView(): View {
  const host = document.createElement("hub-chat");
  const shadow = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(STYLE);
  shadow.adoptedStyleSheets = [sheet];

  const panel = make("section", { role: "dialog", "aria-label": "Live chat", hidden: "" });
  const badge = make("span", { role: "status", hidden: "" });
  const launcher = make("button", { type: "button" }, icon("b", BUBBLE), icon("x", CHEVRON), badge);
  const root = make("div", { role: "complementary", "aria-label": "Live chat" }, launcher, panel);
  shadow.append(root);
  return { host, root, launcher, panel, badge };
}

/** Keeps the full-screen panel above a phone's keyboard, which covers the page without resizing it. */
export function followViewport({ style }: HTMLElement): void {
  const view = visualViewport!;
  view.addEventListener("resize", () => {
    // Zoomed in, the page is read through a smaller window; the panel stays as it is.
    if (view.scale > 1.01) return;
    style.setProperty("--h", view.height + "px");
    style.setProperty("--t", view.offsetTop + "px");
  });
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string>,
  ...children: Element[]
): HTMLElementTagNameMap[K] {
  return dress(document.createElement(tag), attributes, children);
}

function icon(name: string, d: string): SVGElement {
  const path = dress(document.createElementNS(SVG, "path"), { d }, []);
  return dress(document.createElementNS(SVG, "svg"), { class: name, viewBox: "0 0 24 24", "aria-hidden": "true" }, [path]);
}

function dress<E extends Element>(element: E, attributes: Record<string, string>, children: Element[]): E {
  for (const name in attributes) element.setAttribute(name, attributes[name]!);
  element.append(...children);
  return element;
}
