/**
 * The user's conversation list as far as it is known, by last activity. Rows come from syncs and
 * pushes; between those, messages and read positions move them as the server moves them.
 */
import type { Conversation, Message, ReadPosition } from "./types.js";

/** Rows kept; a user has no more conversations than 5,000, and those that were left go first. */
const ROWS_MAX = 6_000;

export class ConversationList {
  readonly #rows = new Map<string, Conversation>();
  readonly #listeners = new Set<() => void>();
  #snapshot: readonly Conversation[] | undefined;
  #stale = false;

  /** Calls `changed` after changes, until the function that is returned is called. */
  readonly subscribe = (changed: () => void): (() => void) => {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  };

  /** The rows, newest activity first. The same array until something changes. */
  readonly getSnapshot = (): readonly Conversation[] => {
    this.#snapshot ??= [...this.#rows.values()].sort(
      (a, b) => b.lastTime - a.lastTime || (a.id < b.id ? -1 : 1),
    );
    return this.#snapshot;
  };

  get(id: string): Conversation | undefined {
    return this.#rows.get(id);
  }

  /** @internal A row as the server has it, or had it before the messages that came since. */
  put(row: Conversation): void {
    const known = this.#rows.get(row.id);
    if (known && known.member && row.member && known.headSeq > row.headSeq) {
      const { headSeq, newest, lastTime, readSeq } = known;
      const unread = row.readSeq > readSeq ? row.unread : known.unread;
      this.#set({
        ...row,
        headSeq,
        newest,
        lastTime,
        unread,
        readSeq: Math.max(readSeq, row.readSeq),
      });
    } else {
      this.#set(row);
    }
    if (this.#rows.size <= ROWS_MAX) return;
    const left = [...this.#rows.values()].find(({ member }) => !member);
    const last = left ?? this.getSnapshot().at(-1);
    if (last) this.#rows.delete(last.id);
    this.#changed();
  }

  /** @internal A message of a conversation, in order. */
  message(message: Message, me: string): void {
    const row = this.#rows.get(message.conversation);
    // What a row was computed at already counts everything up to its head.
    if (row && message.seq <= row.headSeq) {
      if (message.seq > (row.newest?.seq ?? 0)) this.#set({ ...row, newest: message });
      return;
    }
    const base: Conversation = row ?? {
      id: message.conversation,
      name: "",
      headSeq: 0,
      newest: undefined,
      lastTime: 0,
      unread: 0,
      readSeq: message.seq - 1,
      firstSeq: 1,
      member: true,
    };
    const counts = message.counted && message.sender !== me && message.seq > base.readSeq;
    this.#set({
      ...base,
      headSeq: message.seq,
      newest: message,
      lastTime: Math.max(base.lastTime, message.time),
      unread: base.unread + (counts ? 1 : 0),
    });
  }

  /** @internal The read position moved. */
  read({ conversation, readSeq, unread }: ReadPosition): void {
    const row = this.#rows.get(conversation);
    if (!row || readSeq < row.readSeq) return;
    // Whatever was counted beyond this row's head arrives, and is counted, as messages.
    this.#set({ ...row, readSeq, unread: readSeq >= row.headSeq ? 0 : unread });
  }

  /** @internal Calls the listeners if there was a change since the last time. */
  notify(): void {
    if (!this.#stale) return;
    this.#stale = false;
    for (const listener of [...this.#listeners]) listener();
  }

  /** @internal */
  clear(): void {
    this.#rows.clear();
    this.#changed();
  }

  #set(row: Conversation): void {
    this.#rows.set(row.id, row);
    this.#changed();
  }

  #changed(): void {
    this.#snapshot = undefined;
    this.#stale = true;
  }
}
