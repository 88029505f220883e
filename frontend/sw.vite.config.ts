import { defineConfig } from "vite";

// The service worker: one script without imports at /sw.js, beside the built inbox. Run after it.
export default defineConfig({
  root: "app",
  publicDir: false,
  build: {
    outDir: "../dist/app",
    emptyOutDir: false,
    target: "es2022",
    rollupOptions: { input: "src/push/sw.ts", output: { format: "iife", entryFileNames: "sw.js" } },
  },
});
