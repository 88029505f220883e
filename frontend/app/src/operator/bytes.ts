/** Writes a number of bytes for people. */
export function bytes(count: number): string {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  let rest = count;
  for (; rest >= 1024 && place < units.length - 1; place++) rest /= 1024;
  return `${place === 0 ? rest : rest.toFixed(1)} ${units[place] ?? ""}`;
}
