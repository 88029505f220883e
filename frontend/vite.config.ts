import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const HUB = process.env["HUB_DEV_URL"] ?? "http://127.0.0.1:8000";

// The inbox app. The live-chat widget has its own configuration in widget/.
export default defineConfig({
  root: "app",
  base: "/",
  plugins: [react()],
  build: {
    outDir: "../dist/app",
    emptyOutDir: true,
    target: "es2022",
    assetsInlineLimit: 0, // data: URLs would need a wider Content-Security-Policy
    manifest: true,
  },
  server: {
    proxy: {
      "/api": { target: HUB },
      "/ws": { target: HUB, ws: true },
      "/sample": { target: HUB },
      "/widget": { target: HUB },
    },
  },
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.{ts,tsx}"],
    setupFiles: ["tests/setup.ts"],
    restoreMocks: true,
    testTimeout: 60_000, // axe over a whole screen, on a busy machine
  },
});
