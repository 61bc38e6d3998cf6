/**
 * What the client takes from the world: time, chance, timers and sockets. Tests pass their own
 * and so decide when everything happens; nothing else in this package reads a clock.
 */

/** A connection that carries one frame per message. */
export interface Socket {
  send(frame: Uint8Array): void;
  /** Ends it. No more events are needed afterwards. */
  close(): void;
}

export interface SocketEvents {
  opened(): void;
  received(frame: Uint8Array): void;
  /** Once, whether it was open before or not. */
  closed(reason: string): void;
}

/** Opens a socket. Never throws: a socket that can't be had is one that closes. */
export type Transport = (url: string, protocol: string, events: SocketEvents) => Socket;

export interface Environment {
  /** Milliseconds; the beginning does not matter as long as it never goes back. */
  now(): number;
  /** Unix milliseconds. */
  wallClock(): number;
  /** At least 0, below 1. */
  random(): number;
  /** An id that nobody else makes, at most 64 bytes. */
  uniqueId(): string;
  /** Runs once, later, unless the function that is returned was called before. */
  timer(milliseconds: number, run: () => void): () => void;
  /** Requests over HTTP, for files. */
  fetch?(url: string, options: RequestInit): Promise<Response>;
  /** Tells of changes of the network until the function that is returned is called. */
  watchNetwork?(changed: (hint: NetworkHint) => void): () => void;
}

/** The network came up, or this device woke; the network went down. A hint may be wrong. */
export type NetworkHint = "up" | "down";

/** The real world. */
export const systemEnvironment: Environment = {
  now: () => performance.now(),
  wallClock: () => Date.now(),
  random: () => Math.random(),
  // `crypto.randomUUID` is missing on pages served without TLS.
  uniqueId: () =>
    Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) =>
      byte.toString(16).padStart(2, "0"),
    ).join(""),
  timer: (milliseconds, run) => {
    const handle = setTimeout(run, milliseconds);
    return () => clearTimeout(handle);
  },
  fetch: (url, options) => fetch(url, options),
  watchNetwork: (changed) => {
    if (typeof document === "undefined") return () => {};
    const watching = new AbortController();
    const { signal } = watching;
    addEventListener("online", () => changed("up"), { signal });
    addEventListener("offline", () => changed("down"), { signal });
    const shown = (): void => {
      if (document.visibilityState === "visible") changed("up");
    };
    document.addEventListener("visibilitychange", shown, { signal });
    return () => watching.abort();
  },
};
