// The page's own localStorage, under one prefix per channel. The iframe is third-party there and has no storage.

export interface Store {
  all(): Record<string, string>;
  get(key: string): string | null;
  set(key: string, value: string | null): void;
  /** Takes over what another tab has already written. */
  mirror(key: string, value: string | null): void;
  clear(): void;
}

/**
 * Opens the store; pages whose storage is blocked get one that lives as long as the page.
 *
 * @param storage asked for on each use, because reading the property itself may throw.
 */
export function openStore(prefix: string, storage: () => Storage): Store {
  const memory = new Map<string, string>();
  const persist = (change: (to: Storage) => void) => {
    try {
      change(storage());
    } catch {
      // Blocked or full: the copy in memory serves this page.
    }
  };
  persist((from) => {
    for (const key of Object.keys(from)) if (key.startsWith(prefix)) memory.set(key.slice(prefix.length), from[key]!);
  });
  const mirror = (key: string, value: string | null) => {
    if (value === null) memory.delete(key);
    else memory.set(key, value);
  };
  const set = (key: string, value: string | null) => {
    mirror(key, value);
    persist((to) => (value === null ? to.removeItem(prefix + key) : to.setItem(prefix + key, value)));
  };
  return {
    all: () => Object.fromEntries(memory),
    get: (key) => memory.get(key) ?? null,
    set,
    mirror,
    clear: () => [...memory.keys()].forEach((key) => set(key, null)),
  };
}
