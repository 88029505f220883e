/** Light, dark or as the system says; the choice stays on this computer. */
import { Signal } from "../sync/signal";

export type Theme = "system" | "light" | "dark";

const KEY = "hub.theme";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const stored = localStorage.getItem(KEY);

export const theme = new Signal<Theme>(stored === "light" || stored === "dark" ? stored : "system");

/** What is on screen. */
export const shownTheme = new Signal<"light" | "dark">("light");

function apply(): void {
  const choice = theme.get();
  const isDark = choice === "dark" || (choice === "system" && dark.matches);
  shownTheme.set(isDark ? "dark" : "light");
  document.documentElement.dataset["theme"] = shownTheme.get();
}

export function startTheme(): void {
  dark.addEventListener("change", apply);
  theme.subscribe(() => {
    const choice = theme.get();
    if (choice === "system") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, choice);
    apply();
  });
  apply();
}

/** Switches to the other look than the one on screen. */
export function toggleTheme(): void {
  theme.set(shownTheme.get() === "dark" ? "light" : "dark");
}
