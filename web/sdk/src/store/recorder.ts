/**
 * Writes behind: changes go to the database in order, in one transaction after the other. Of rows
 * and positions only the last state is written, after the messages that led to it.
 *
 * When the database fails, writing ends for good, and that is told once: what it holds is then an
 * earlier moment, from which a later client goes on.
 */
import type { Change, Database } from "./database.js";

/** Changes that may wait; a database that falls so far behind is taken for broken. */
export const PENDING_MAX = 20_000;

/** Changes of one transaction, so that reading need not wait long. */
const STEP = 300;

/** What is written next. */
class Batch {
  readonly changes = new Map<string, Change>();
  readonly stored: Promise<boolean>;
  resolve: (stored: boolean) => void = () => {};
  #unique = 0;

  constructor() {
    this.stored = new Promise((resolve) => (this.resolve = resolve));
  }

  add(change: Change): void {
    if ("remove" in change && change.remove === "all") this.changes.clear();
    const name = stateName(change) ?? `#${(this.#unique += 1)}`;
    // At its end: it may follow from what came between.
    this.changes.delete(name);
    this.changes.set(name, change);
  }
}

export class Recorder {
  readonly #database: Database;
  readonly #failed: (error: unknown) => void;
  #next: Batch | undefined;
  #running = false;
  /** Rows, positions and feed are this client's to write. */
  #owner = false;
  #broken = false;

  constructor(database: Database, failed: (error: unknown) => void) {
    this.#database = database;
    this.#failed = failed;
  }

  get broken(): boolean {
    return this.#broken;
  }

  /** Rows, positions and feed are this client's to write. */
  get owner(): boolean {
    return this.#owner;
  }

  /** From now on rows, positions and feed are written, beginning with these. */
  own(changes: readonly Change[]): void {
    this.#owner = true;
    void this.write(changes);
  }

  /**
   * Takes changes in. `undefined`: they are stored already; else a promise of whether they are,
   * which never rejects.
   */
  write(changes: readonly Change[]): Promise<boolean> | undefined {
    if (this.#broken) return Promise.resolve(false);
    const batch = (this.#next ??= new Batch());
    for (const change of changes) {
      if (this.#owner || !isOwners(change)) batch.add(change);
    }
    if (batch.changes.size > PENDING_MAX) {
      this.fail(new Error("the database does not keep up"));
    } else if (!this.#running) {
      return this.#start() ? batch.stored : undefined;
    }
    return batch.stored;
  }

  /** Nothing is written any more. */
  fail(error: unknown): void {
    if (this.#broken) return;
    this.#broken = true;
    this.#next?.resolve(false);
    this.#next = undefined;
    this.#failed(error);
  }

  /** In steps: what is stored after each is an earlier moment, too. */
  #write(changes: readonly Change[]): Promise<void> | undefined {
    const writing = this.#database.write(changes.slice(0, STEP));
    const rest = changes.slice(STEP);
    if (rest.length === 0) return writing;
    return writing ? writing.then(() => this.#write(rest)) : this.#write(rest);
  }

  /** Writes what has gathered. True: it takes time. */
  #start(): boolean {
    const batch = this.#next;
    this.#next = undefined;
    if (!batch || batch.changes.size === 0) {
      batch?.resolve(true);
      return false;
    }
    const writing = this.#write([...batch.changes.values()]);
    if (!writing) {
      batch.resolve(true);
      return false;
    }
    this.#running = true;
    writing.then(
      () => {
        this.#running = false;
        batch.resolve(true);
        this.#start();
      },
      (error: unknown) => {
        this.#running = false;
        batch.resolve(false);
        this.fail(error);
      },
    );
    return true;
  }
}

/** Of these, only the last state counts. */
function stateName(change: Change): string | undefined {
  if (!("put" in change)) return undefined;
  if (change.put === "feed") return "feed";
  if (change.put === "conversation") return `row ${change.row.id}`;
  return change.put === "position" ? `position ${change.position.conversation}` : undefined;
}

/** Is it written by one client only? What the others know of the list may be older. */
function isOwners(change: Change): boolean {
  if ("put" in change) return stateName(change) !== undefined;
  return change.remove === "list" || change.remove === "synced";
}
