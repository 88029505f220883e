// Fails when the widget outgrows its budget. Sizes are gzip level 9, 1 KB = 1,000 bytes.
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const LOADER_BYTES = 3_000;
// What a page pays before anybody can write; files come after it.
const TOTAL_BYTES = 12_000;
const LATER_BYTES = 4_000;

const folder = process.argv[2] ?? fileURLToPath(new URL("../dist/widget/", import.meta.url));
const names = readdirSync(folder, { recursive: true })
  .map(String)
  .filter((name) => /\.(js|css|html)$/.test(name));
const sizes = new Map(names.map((name) => [name, gzipSync(readFileSync(`${folder}/${name}`), { level: 9 }).length]));

const isLater = (name) => /\binstall-[^/]*\.js$/.test(name);
const counted = [...sizes].filter(([name]) => !name.endsWith(".html") && !isLater(name));
const later = [...sizes].filter(([name]) => isLater(name)).reduce((sum, [, size]) => sum + size, 0);
const total = counted.reduce((sum, [, size]) => sum + size, 0);
const loader = sizes.get("widget.js") ?? Infinity;

for (const [name, size] of sizes) console.log(`${String(size).padStart(7)}  ${name}`);
console.log(`${String(later).padStart(7)}  loaded later, at most ${LATER_BYTES}`);
console.log(`${String(total).padStart(7)}  JS and CSS together, at most ${TOTAL_BYTES}; loader at most ${LOADER_BYTES}`);
if (counted.length < 3) fail("the build is not complete: expected the loader, the frame's script and its styles");
if (loader > LOADER_BYTES) fail(`the loader is ${loader - LOADER_BYTES} bytes over budget`);
if (later === 0) fail("the files' part is missing");
if (later > LATER_BYTES) fail(`the files' part is ${later - LATER_BYTES} bytes over budget`);
if (total > TOTAL_BYTES) fail(`the widget is ${total - TOTAL_BYTES} bytes over budget`);

function fail(reason) {
  console.error(reason);
  process.exit(1);
}
