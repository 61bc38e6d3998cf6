/** Time, chance and timers that move only when a test says so. */
import type { Environment, NetworkHint } from "../src/environment.js";

interface Timer {
  readonly at: number;
  readonly run: () => void;
}

export class World implements Environment {
  #time = 1_000;
  #ids = 0;
  #timers = new Set<Timer>();
  #watchers = new Set<(hint: NetworkHint) => void>();
  /** What `random` returns. */
  chance = 0.5;

  now = (): number => this.#time;
  wallClock = (): number => 1_700_000_000_000 + this.#time;
  random = (): number => this.chance;
  uniqueId = (): string => `id-${++this.#ids}`;

  timer = (milliseconds: number, run: () => void): (() => void) => {
    const timer = { at: this.#time + milliseconds, run };
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  };

  watchNetwork = (changed: (hint: NetworkHint) => void): (() => void) => {
    this.#watchers.add(changed);
    return () => this.#watchers.delete(changed);
  };

  hint(hint: NetworkHint): void {
    for (const watcher of this.#watchers) watcher(hint);
  }

  /** Lets everything happen that needs no time. */
  async settle(): Promise<void> {
    for (let i = 0; i < 5; i++) await new Promise((resolve) => setImmediate(resolve));
  }

  /** Lets time pass, with every timer at its time. */
  async pass(milliseconds: number): Promise<void> {
    const end = this.#time + milliseconds;
    await this.settle();
    for (;;) {
      const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (!due) break;
      this.#timers.delete(due);
      this.#time = Math.max(this.#time, due.at);
      due.run();
      await this.settle();
    }
    this.#time = end;
  }
}
