// The page's own storage, under one prefix per channel. The iframe is third-party there and has none. Where the page's
// is blocked or full, everything works until the page is left.

export interface Store {
  all(): Record<string, string>;
  set(key: string, value: string | null): void;
}

/** @param storage asked for on each use, because where it is blocked, reading the property itself throws. */
export function openStore(prefix: string, storage: () => Storage): Store {
  return {
    all() {
      const texts: Record<string, string> = {};
      try {
        for (const [key, value] of Object.entries<string>(storage()))
          if (key.startsWith(prefix)) texts[key.slice(prefix.length)] = value;
      } catch {
        // Blocked.
      }
      return texts;
    },
    set(key, value) {
      try {
        if (value === null) storage().removeItem(prefix + key);
        else storage().setItem(prefix + key, value);
      } catch {
        // Blocked or full.
      }
    },
  };
}
