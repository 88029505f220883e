// Builds the live chat widget. `--mode frame` makes the page inside the iframe, `--mode loader` the one script that
// customers put on their site. The server mounts `dist/widget/assets` at `/widget-assets/` (hashed, immutable).
import { defineConfig, type UserConfig } from "vite";

const here = decodeURIComponent(new URL(".", import.meta.url).pathname);

const shared: UserConfig = {
  root: here,
  publicDir: false,
};

const output: UserConfig["build"] = {
  outDir: "../dist/widget",
  target: "es2022",
  reportCompressedSize: false,
  // 2 % smaller than the default.
  minify: "terser",
  terserOptions: { module: true, compress: { passes: 3, unsafe_arrows: true, ecma: 2020 } },
};

const frame: UserConfig = {
  ...shared,
  base: "/widget-assets/",
  experimental: { renderBuiltUrl: (file) => "/widget-assets/" + file.replace(/^assets\//, "") },
  build: {
    ...output,
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: { input: here + "frame.html" },
  },
};

const loader: UserConfig = {
  ...shared,
  build: {
    ...output,
    emptyOutDir: false,
    rolldownOptions: {
      input: here + "loader.ts",
      output: { format: "iife", entryFileNames: "widget.js" },
    },
  },
};

export default defineConfig(({ mode }) => (mode === "loader" ? loader : frame));
