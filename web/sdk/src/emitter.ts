/** Typed events. A listener that throws does not keep the others, nor the client, from going on. */
import type { Events } from "./types.js";

export type Listener<K extends keyof Events> = (event: Events[K]) => void;

export class Emitter {
  readonly #listeners = new Map<keyof Events, Set<(event: never) => void>>();

  /** Calls `listener` for every event of this name until the function returned is called. */
  on<K extends keyof Events>(name: K, listener: Listener<K>): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  emit<K extends keyof Events>(name: K, event: Events[K]): void {
    for (const listener of [...(this.#listeners.get(name) ?? [])]) {
      try {
        (listener as Listener<K>)(event);
      } catch (error) {
        // Where uncaught errors go; the application's handlers of those see it.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
  }
}
