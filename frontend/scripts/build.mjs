// Builds the inbox and its service worker, and the widget where its sources are present.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";

const steps = ["build:app", "build:worker", ...(existsSync("widget/vite.config.ts") ? ["build:widget"] : [])];
for (const step of steps) {
  const run = spawnSync("npm", ["run", "--silent", step], { stdio: "inherit" });
  if (run.status !== 0) process.exit(run.status ?? 1);
}
