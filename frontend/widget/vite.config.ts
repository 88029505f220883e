// Builds the live chat widget in one run: the page inside the iframe, then the one script that customers put on their
// site. The server mounts `dist/widget/assets` at `/widget-assets/` (hashed, immutable).
import { build, defineConfig, type UserConfig } from "vite";

const here = decodeURIComponent(new URL(".", import.meta.url).pathname);

const output: UserConfig["build"] = {
  outDir: here + "../dist/widget",
  target: "es2022",
  reportCompressedSize: false,
  // 2 % smaller than the default.
  minify: "terser",
  terserOptions: { module: true, compress: { passes: 3, unsafe_arrows: true, ecma: 2020 } },
};

const loader: UserConfig = {
  root: here,
  publicDir: false,
  build: {
    ...output,
    emptyOutDir: false,
    rolldownOptions: { input: here + "loader.ts", output: { format: "iife", entryFileNames: "widget.js" } },
  },
};

export default defineConfig({
  root: here,
  publicDir: false,
  base: "/widget-assets/",
  experimental: { renderBuiltUrl: (file) => "/widget-assets/" + file.replace(/^assets\//, "") },
  build: {
    ...output,
    emptyOutDir: true,
    modulePreload: false,
    assetsInlineLimit: 0,
    rolldownOptions: { input: here + "frame.html" },
  },
  plugins: [
    {
      name: "loader",
      apply: "build",
      closeBundle: { sequential: true, order: "post", handler: async () => void (await build({ ...loader, configFile: false })) },
    },
  ],
});
