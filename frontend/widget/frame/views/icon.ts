import { h, type Shape } from "./dom.ts";

const BELL = "M6 9.5a6 6 0 0 1 12 0c0 5 2 6.5 2 6.5H4s2-1.5 2-6.5M10 20h4";
const PATHS = {
  close: "m6 9.5 6 6 6-6",
  send: "M12 19V5m-6 6 6-6 6 6",
  bell: BELL,
  muted: BELL + "M4 4l16 16",
};

export function icon(name: keyof typeof PATHS): Shape {
  return h("svg", { viewBox: "0 0 24 24", "aria-hidden": "true" }, h("path", { d: PATHS[name] }));
}
