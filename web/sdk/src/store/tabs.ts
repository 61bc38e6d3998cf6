/**
 * Several tabs, one database.
 *
 * Every client has a name and holds the lock of that name as long as it lives; the browser lets go
 * of it when the tab ends, however it ends. What a client is to send carries its name. Whoever
 * gets the lock of another one's name knows that it is gone, and takes over what it left, in one
 * step of the database: so nothing is sent by two tabs, and nothing is left behind by one that
 * ended. One more lock makes one of them the owner, who writes the conversation list.
 */

/** Locks by name, across the tabs of one origin: Web Locks have this shape behind `webLocks`. */
export interface Locks {
  /**
   * Calls `held` once the lock is had, maybe at once, maybe never. The function that is returned
   * lets go of it, or stops waiting for it.
   */
  take(name: string, held: () => void): () => void;
}

/** Those of the browser; `undefined` where there are none, as on pages served without TLS. */
export function webLocks(): Locks | undefined {
  const manager = typeof navigator === "undefined" ? undefined : navigator.locks;
  if (!manager) return undefined;
  return {
    take: (name, held) => {
      const waiting = new AbortController();
      let release = (): void => {};
      const over = new Promise<void>((resolve) => (release = resolve));
      manager
        .request(name, { signal: waiting.signal }, () => {
          held();
          return over;
        })
        // It was given up, or the page is going.
        .catch(() => {});
      return () => {
        release();
        waiting.abort();
      };
    },
  };
}

/** Among the clients of one process. */
export function processLocks(): Locks {
  const queues = new Map<string, (() => void)[]>();
  return {
    take: (name, held) => {
      const queue = queues.get(name) ?? [];
      queues.set(name, queue);
      queue.push(held);
      if (queue.length === 1) held();
      return () => {
        const at = queue.indexOf(held);
        if (at < 0) return;
        queue.splice(at, 1);
        if (at === 0) queue[0]?.();
        if (queue.length === 0) queues.delete(name);
      };
    },
  };
}
