// What the chat needs of the browser, passed in so that tests can hold the clock and the wire.

export interface Socket {
  send(text: string): void;
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  received(text: string): void;
  /** Once, however the socket ended. */
  closed(code: number): void;
}

export interface Environment {
  now(): number;
  /** Runs once after `delay_ms`; the answer cancels it. */
  after(delay_ms: number, run: () => void): () => void;
  /** 0 ≤ x < 1 */
  random(): number;
  uuid(): string;
  openSocket(events: SocketEvents): Socket;
  /** The browser's own opinion; false is certain, true is not. */
  online(): boolean;
}

/** Small texts that outlive the page. */
export interface Keep {
  get(key: string): string | null;
  set(key: string, value: string | null): void;
  keys(): string[];
}

export function browserEnvironment(): Environment {
  return {
    now: () => Date.now(),
    after(delay_ms, run) {
      const timer = setTimeout(run, delay_ms);
      return () => clearTimeout(timer);
    },
    random: Math.random,
    uuid,
    openSocket(events) {
      const socket = new WebSocket(location.origin.replace("http", "ws") + "/ws");
      socket.onopen = () => events.opened();
      socket.onmessage = (message) => events.received(String(message.data));
      socket.onclose = (close) => events.closed(close.code);
      return socket;
    },
    online: () => navigator.onLine,
  };
}

/** A random UUID; `crypto.randomUUID` itself is missing on plain http. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 15) | 64;
  bytes[8] = (bytes[8]! & 63) | 128;
  return [...bytes].map((byte, at) => ([4, 6, 8, 10].includes(at) ? "-" : "") + byte.toString(16).padStart(2, "0")).join("");
}
