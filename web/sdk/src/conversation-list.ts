/**
 * The user's conversation list as far as it is known. Rows come from syncs and
 * pushes; between those, messages, changes of messages and read positions move them as the server
 * moves them.
 *
 * A row says how things stood at its `headSeq`, `rev` and `readSeq`. What comes late is recognised
 * by these three, which only rise: an older row or read position never takes back a newer one, and
 * what a row already counts is not counted again.
 */
import { newer } from "./ahead.js";
import { EMPTY_CONVERSATION } from "./store/database.js";
import type { Conversation, Message, ReadPosition } from "./types.js";
import { isCommand } from "./wire.js";

/** Rows kept; a user has no more conversations than 5,000, and those that were left go first. */
const ROWS_MAX = 6_000;
/** Unread messages remembered per row; of more, the server's next row tells. */
const UNREAD_MAX = 1_000;

/** An unread message that arrived after the row was made by the server. */
interface Counted {
  readonly seq: number;
  readonly counts: boolean;
  mentions: boolean;
}

export class ConversationList {
  readonly #rows = new Map<string, Conversation>();
  /** What was counted here, ascending: a read position says up to where it is read. */
  readonly #counted = new Map<string, Counted[]>();
  /** Up to where the server counted. */
  readonly #served = new Map<string, number>();
  readonly #listeners = new Set<() => void>();
  /** Rows that changed since they were taken for storing. */
  readonly #unsaved = new Set<string>();
  #snapshot: readonly Conversation[] | undefined;
  #stale = false;

  /** Calls `changed` after changes, until the function that is returned is called. */
  readonly subscribe = (changed: () => void): (() => void) => {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  };

  /**
   * The rows that are not hidden: pinned ones first, then by last activity, the newest first. The
   * same array until something changes.
   */
  readonly getSnapshot = (): readonly Conversation[] => {
    this.#snapshot ??= this.all().filter(({ hidden }) => !hidden);
    return this.#snapshot;
  };

  /** Hidden ones, too. */
  all(): readonly Conversation[] {
    return [...this.#rows.values()].sort(
      (a, b) =>
        Number(b.pinned) - Number(a.pinned) || b.lastTime - a.lastTime || (a.id < b.id ? -1 : 1),
    );
  }

  get(id: string): Conversation | undefined {
    return this.#rows.get(id);
  }

  /** Unread messages of all conversations. */
  get unread(): number {
    return this.getSnapshot().reduce((sum, { member, unread }) => sum + (member ? unread : 0), 0);
  }

  /** @internal A row as it was stored on this device. */
  restore(row: Conversation): void {
    this.#rows.set(row.id, row);
    this.#served.set(row.id, row.headSeq);
    this.#stir();
  }

  /** @internal Rows that changed since the last call. */
  takeUnsaved(): readonly Conversation[] {
    if (this.#unsaved.size === 0) return [];
    const rows = [...this.#unsaved].flatMap((id) => this.#rows.get(id) ?? []);
    this.#unsaved.clear();
    return rows;
  }

  /** @internal A row as the server has it, or had it before the messages that came since. */
  put(row: Conversation): void {
    const known = this.#rows.get(row.id);
    const first = !this.#served.has(row.id);
    this.#served.set(row.id, row.headSeq);
    this.#set(known && known.member && row.member ? this.#merge(known, row, first) : row);
    if (!known || !row.member) this.#counted.delete(row.id);
    if (this.#rows.size <= ROWS_MAX) return;
    const left = [...this.#rows.values()].find(({ member }) => !member);
    const last = left ?? this.all().at(-1);
    if (last) this.#forget(last.id);
  }

  /** @internal A message of a conversation, in order. */
  message(message: Message, me: string): void {
    const row = this.#rows.get(message.conversation);
    const shown = !isCommand(message);
    // What a row was computed at already counts everything up to its head.
    if (row && message.seq <= row.headSeq) {
      if (shown && message.seq > (row.newest?.seq ?? 0)) this.#set({ ...row, newest: message });
      return;
    }
    const base = row ?? unknownRow(message);
    const unread = message.seq > base.readSeq;
    const counts = unread && countsFor(message, me);
    // Of a message that does not count as unread, a mention does.
    const mentions = unread && isMentioned(message, me);
    if (counts || mentions) this.#count(message, counts, mentions);
    this.#set({
      ...base,
      name: newName(message) ?? base.name,
      headSeq: message.seq,
      // It was hidden until the next message, which this one is.
      hidden: false,
      newest: shown ? message : base.newest,
      lastTime: Math.max(base.lastTime, message.time),
      unread: base.unread + (counts ? 1 : 0),
      unreadMentions: base.unreadMentions + (mentions ? 1 : 0),
    });
  }

  /**
   * @internal A message changed. What the row was computed at already has changes up to its `rev`.
   * True: how many messages mention the user can't be told from here.
   */
  changed(message: Message, me: string): boolean {
    const row = this.#rows.get(message.conversation);
    if (!row) return false;
    const { seq } = message;
    const rev = message.state?.rev ?? 0;
    const newest = row.newest?.seq === seq ? newer(row.newest, message) : row.newest;
    if (rev <= row.rev || seq <= row.readSeq || seq > row.headSeq || message.sender === me) {
      this.#set({ ...row, newest, rev: Math.max(rev, row.rev) });
      return false;
    }
    const counted = this.#counted.get(row.id)?.find((one) => one.seq === seq);
    // A message that the server counted is one less once it is recalled, and that is once.
    const servers = seq <= (this.#served.get(row.id) ?? 0);
    const counts = counted ? counted.counts : servers && message.counted;
    const less = message.state?.recall && counts ? 1 : 0;
    const mentions = isMentioned(message, me);
    const change = counted ? Number(mentions) - Number(counted.mentions) : 0;
    if (message.state?.recall) this.#keep(row.id, (one) => one.seq !== seq);
    else if (counted) counted.mentions = mentions;
    this.#set({
      ...row,
      newest,
      rev,
      unread: Math.max(0, row.unread - less),
      unreadMentions: Math.max(0, row.unreadMentions + change),
    });
    return servers && (mentions || row.unreadMentions > 0);
  }

  /** @internal So many unread messages mention the user. */
  mentioned(conversation: string, unreadMentions: number): void {
    const row = this.#rows.get(conversation);
    if (row && row.unreadMentions !== unreadMentions) this.#set({ ...row, unreadMentions });
  }

  /** @internal The read position moved. False: this was known, or is older than what is. */
  read({ conversation, readSeq, unread, unreadMentions }: ReadPosition): boolean {
    const row = this.#rows.get(conversation);
    if (!row) return true;
    if (readSeq < row.readSeq) return false;
    const all = readSeq >= row.headSeq;
    // Whatever was counted beyond this row's head arrives, and is counted, as messages.
    const next = { readSeq, unread: all ? 0 : unread, unreadMentions: all ? 0 : unreadMentions };
    const same =
      next.readSeq === row.readSeq &&
      next.unread === row.unread &&
      next.unreadMentions === row.unreadMentions;
    if (same) return false;
    this.#set({ ...row, ...next });
    this.#drop(conversation, readSeq);
    return true;
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
    this.#counted.clear();
    this.#served.clear();
    this.#unsaved.clear();
    this.#stir();
  }

  /**
   * The newer of two states of a conversation in each of its parts. `first`: what is known was
   * made of messages alone, and counts only these.
   */
  #merge(known: Conversation, row: Conversation, first: boolean): Conversation {
    const readSeq = Math.max(known.readSeq, row.readSeq);
    this.#drop(row.id, Math.max(readSeq, row.readSeq));
    const merged = {
      ...row,
      readSeq,
      rev: Math.max(known.rev, row.rev),
      deletedVersion: Math.max(known.deletedVersion, row.deletedVersion),
    };
    if (row.headSeq >= known.headSeq) {
      this.#drop(row.id, row.headSeq);
      // The server did not know yet that this user has read further.
      if (row.readSeq >= known.readSeq) return merged;
      const news = row.headSeq - known.headSeq;
      return {
        ...merged,
        unread: Math.min(row.unread, known.unread + news),
        unreadMentions: Math.min(row.unreadMentions, known.unreadMentions + news),
      };
    }
    const since = (this.#counted.get(row.id) ?? []).filter(({ seq }) => seq > row.headSeq);
    const further = row.readSeq > known.readSeq || (first && row.readSeq === known.readSeq);
    return {
      ...merged,
      headSeq: known.headSeq,
      hidden: known.hidden,
      newest: known.newest,
      lastTime: known.lastTime,
      unread: further ? row.unread + since.filter(({ counts }) => counts).length : known.unread,
      unreadMentions: further
        ? row.unreadMentions + since.filter(({ mentions }) => mentions).length
        : known.unreadMentions,
    };
  }

  #count({ conversation, seq }: Message, counts: boolean, mentions: boolean): void {
    const counted = this.#counted.get(conversation) ?? [];
    if (counted.length >= UNREAD_MAX) return;
    counted.push({ seq, counts, mentions });
    this.#counted.set(conversation, counted);
  }

  /** Forgets what was counted up to here: it is read, or a row of the server counts it. */
  #drop(conversation: string, upTo: number): void {
    this.#keep(conversation, ({ seq }) => seq > upTo);
  }

  #keep(conversation: string, keeps: (one: Counted) => boolean): void {
    const kept = this.#counted.get(conversation)?.filter(keeps);
    if (!kept) return;
    if (kept.length > 0) this.#counted.set(conversation, kept);
    else this.#counted.delete(conversation);
  }

  #forget(id: string): void {
    this.#rows.delete(id);
    this.#counted.delete(id);
    this.#served.delete(id);
    this.#stir();
  }

  #set(row: Conversation): void {
    this.#rows.set(row.id, row);
    this.#unsaved.add(row.id);
    this.#stir();
  }

  #stir(): void {
    this.#snapshot = undefined;
    this.#stale = true;
  }
}

/** Is it unread for this user until it is read? */
export function countsFor(message: Message, me: string): boolean {
  return message.counted && message.sender !== me && !message.state?.recall;
}

/** What the conversation is called from this message on, if it says so. */
function newName({ notice }: Message): string | undefined {
  return notice?.kind === "updated" && notice.changed.includes("name") ? notice.name : undefined;
}

/** Does it mention this user, by name or with all? One's own mentions don't count. */
export function isMentioned({ mention, sender, state }: Message, me: string): boolean {
  if (!mention || sender === me || state?.recall) return false;
  return mention.all || mention.users.includes(me);
}

/** Until the server tells the row. */
function unknownRow({ conversation }: Message): Conversation {
  return { ...EMPTY_CONVERSATION, id: conversation };
}
