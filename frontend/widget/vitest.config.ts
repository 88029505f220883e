import { defineConfig } from "vitest/config";

export default defineConfig({
  root: decodeURIComponent(new URL(".", import.meta.url).pathname),
  test: { environment: "jsdom", include: ["tests/**/*.test.{ts,tsx}"], restoreMocks: true, sequence: { shuffle: true } },
});
