// Fails when the first inbox route costs more than its budget: every script and style that index.html needs at once.
import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";

const BUDGET_BYTES = { js: 150_000, css: 15_000 };
const dist = new URL("../dist/app/", import.meta.url);
const manifest = JSON.parse(readFileSync(new URL(".vite/manifest.json", dist), "utf8"));

const files = new Set();
const visit = (key) => {
  const chunk = manifest[key];
  if (!chunk || files.has(chunk.file)) return;
  files.add(chunk.file);
  for (const style of chunk.css ?? []) files.add(style);
  for (const next of chunk.imports ?? []) visit(next);
};
for (const [key, chunk] of Object.entries(manifest)) if (chunk.isEntry) visit(key);

let failed = files.size === 0;
for (const [kind, budget] of Object.entries(BUDGET_BYTES)) {
  const bytes = [...files]
    .filter((file) => file.endsWith(`.${kind}`))
    .reduce((sum, file) => sum + gzipSync(readFileSync(new URL(file, dist))).length, 0);
  const over = bytes > budget;
  failed ||= over || bytes === 0;
  console.log(`${kind}  ${(bytes / 1000).toFixed(1)} KB gz of ${budget / 1000}${over ? "  OVER BUDGET" : ""}`);
}
process.exit(failed ? 1 : 0);
