/** From the client's stores to React. */
import type { AnserClient, ConnectionState } from "@anser-im/sdk";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";

interface Store<T> {
  subscribe(changed: () => void): () => void;
  getSnapshot(): T;
}

export function useStore<T>(store: Store<T>): T {
  return useSyncExternalStore(store.subscribe, store.getSnapshot);
}

export function useConnection(client: AnserClient): ConnectionState {
  const subscribe = useCallback(
    (changed: () => void) => client.on("connection", changed),
    [client],
  );
  return useSyncExternalStore(subscribe, () => client.state);
}

/** Is there a network, as far as the browser knows? */
export function useOnline(): boolean {
  return useSyncExternalStore(watchOnline, () => navigator.onLine);
}

function watchOnline(changed: () => void): () => void {
  const watching = new AbortController();
  addEventListener("online", changed, { signal: watching.signal });
  addEventListener("offline", changed, { signal: watching.signal });
  return () => watching.abort();
}

/** The time, while it matters. */
export function useNow(everyMs: number | undefined): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    if (everyMs === undefined) return;
    setNow(Date.now());
    const interval = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(interval);
  }, [everyMs]);
  return now;
}

/** Does the user look at this page right now? */
export function useLooking(): boolean {
  return useSyncExternalStore(
    watchLooking,
    () => document.visibilityState === "visible" && document.hasFocus(),
  );
}

function watchLooking(changed: () => void): () => void {
  const watching = new AbortController();
  const { signal } = watching;
  addEventListener("focus", changed, { signal });
  addEventListener("blur", changed, { signal });
  document.addEventListener("visibilitychange", changed, { signal });
  return () => watching.abort();
}
