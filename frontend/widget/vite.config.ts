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

// Loaded once the chat is drawn; a script of its own, so that the frame's needs no module loader (0.5 KB).
const later: UserConfig = {
  root: here,
  publicDir: false,
  build: {
    ...output,
    emptyOutDir: true,
    rolldownOptions: {
      input: here + "frame/files/install.ts",
      output: { format: "iife", entryFileNames: "assets/install-[hash].js" },
    },
  },
};

/** Builds the later part; its name, which changes with it, goes into the frame's script. */
async function buildLater(): Promise<string> {
  const [made] = [await build({ ...later, configFile: false })].flat();
  if (!made || !("output" in made)) throw new Error("the later part was not built");
  return made.output[0].fileName.replace(/^assets\//, "");
}

export default defineConfig(async (): Promise<UserConfig> => ({
  root: here,
  define: { __LATER__: JSON.stringify("/widget-assets/" + (await buildLater())) },
  publicDir: false,
  base: "/widget-assets/",
  experimental: { renderBuiltUrl: (file) => "/widget-assets/" + file.replace(/^assets\//, "") },
  build: {
    ...output,
    emptyOutDir: false,
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
}));
