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

/** A random UUID (version 4); `crypto.randomUUID` is missing where the customer's page is on plain http. */
function uuid(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(36));
  return "xxxxxxxx-xxxx-4xxx-8xxx-xxxxxxxxxxxx".replace(/x/g, (_, at: number) => (bytes[at]! & 15).toString(16));
}
