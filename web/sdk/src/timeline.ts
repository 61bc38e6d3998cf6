/**
 * One conversation as a screen shows it: a stretch of history that ends at the newest message,
 * live messages as they come, and the user's own that are on their way or failed.
 *
 * What this device has of it is shown at once; the server's newest page follows, and takes its
 * place if the two do not connect. The stretch has no holes: it grows upwards by `loadOlder` and
 * downwards by the client's `message` events, which have none either; when the client skipped
 * something, the stretch is loaded anew from the newest. Changed messages are replaced in their
 * places, deleted ones go. An own message is replaced, by its client message id, by the stored
 * one. State is read by `subscribe` and `getSnapshot`, so any framework can show it.
 */
import { newer } from "./ahead.js";
import type { AnserClient, SendOptions } from "./client.js";
import { AnserError } from "./errors.js";
import type { Outgoing } from "./outgoing.js";
import type { HistoryPage, Message, Sendable } from "./types.js";
import { isCommand } from "./wire.js";

/** Messages kept; the oldest beyond are dropped, and loaded again when asked for. */
const MESSAGES_MAX = 2_000;
const PAGE = 50;
const NOT_FOUND = 3010;
const NOT_A_MEMBER = 3011;

export interface TimelineSnapshot {
  /** Ascending and without holes. */
  readonly messages: readonly Message[];
  /** In the order in which they were sent; they stand below the messages. */
  readonly outgoing: readonly Outgoing[];
  readonly loading: boolean;
  /** False before the first page has come. */
  readonly loaded: boolean;
  readonly hasOlder: boolean;
  /** Why the last page did not come. */
  readonly error: AnserError | undefined;
}

type Client = Pick<
  AnserClient,
  "history" | "send" | "resend" | "discard" | "on" | "outgoing" | "local" | "list"
>;

const EMPTY: TimelineSnapshot = {
  messages: [],
  outgoing: [],
  loading: false,
  loaded: false,
  hasOlder: false,
  error: undefined,
};

export class Timeline {
  readonly conversation: string;
  readonly #client: Client;
  readonly #listeners = new Set<() => void>();
  readonly #stops: (() => void)[];
  #snapshot = EMPTY;
  /** Everything that the user may see from here on is shown. */
  #from = 0;
  /** The first page is on its way. */
  #pending = false;
  /** Arrived, changed or was deleted before the page did, which may or may not know of it. */
  #early: Message[] = [];
  #changed = new Map<number, Message>();
  #deleted = new Set<number>();
  /** Counts loads from the newest: a page of an earlier one is of no use. */
  #load = 0;

  /** @internal Made by `client.timeline`. */
  constructor(client: Client, conversation: string) {
    this.#client = client;
    this.conversation = conversation;
    const mine = <E extends { conversation: string }>(run: (event: E) => void) => {
      return (event: E) => (event.conversation === conversation ? run(event) : undefined);
    };
    this.#stops = [
      client.on(
        "message",
        mine((message) => this.#arrived(message)),
      ),
      client.on(
        "changed",
        mine((message) => this.#replace(message)),
      ),
      client.on(
        "deleted",
        mine(({ seqs }) => this.#remove(seqs)),
      ),
      client.on("conversation", (row) => {
        if (row.id !== conversation) return;
        this.#cut(row.firstSeq);
        // What could not be read before may be now, as after an invitation was accepted.
        const { loading, error } = this.#snapshot;
        if (row.member && error && !loading) void this.reload();
      }),
      client.on(
        "skipped",
        mine(() => void this.reload()),
      ),
      client.on(
        "outdated",
        mine(() => void this.reload()),
      ),
      client.on("reset", ({ epochChanged }) => {
        if (epochChanged) void this.reload();
      }),
      client.on("synced", () => {
        const { loading, error, loaded } = this.#snapshot;
        if (!loading && (error || !loaded)) void this.reload();
      }),
      client.outgoing.subscribe((of) => of === conversation && this.#set({})),
    ];
    void this.reload();
  }

  /** Calls `changed` after changes, until the function that is returned is called. */
  readonly subscribe = (changed: () => void): (() => void) => {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  };

  /** The same object until something changes. */
  readonly getSnapshot = (): TimelineSnapshot => this.#snapshot;

  /** Lets go of the client. What is being sent is still sent. */
  close(): void {
    for (const stop of this.#stops) stop();
    this.#listeners.clear();
  }

  /** Begins anew with the newest page. */
  async reload(): Promise<void> {
    const load = ++this.#load;
    this.#early = [];
    this.#changed.clear();
    this.#deleted.clear();
    this.#pending = true;
    this.#set({ loading: true, error: undefined });
    const kept = await this.#client.local.stretch(this.conversation, undefined, PAGE);
    if (load !== this.#load) return;
    const shown = this.#snapshot.loaded;
    if (kept && !shown && kept.messages.length > 0) this.#show(kept.messages, kept.from, true);
    const page = await this.#page(undefined, load);
    if (!page) return;
    const first = page.more ? page.nextSeq : page.firstSeq;
    const last = this.#snapshot.messages.at(-1)?.seq ?? 0;
    const connects = !shown && kept !== undefined && last + 1 >= first;
    const before = connects ? this.#snapshot.messages : [];
    const all = merge(merge(before, page.messages), this.#early);
    this.#pending = false;
    this.#early = [];
    this.#show(all, connects ? Math.min(this.#from, first) : first, false, page.firstSeq);
  }

  /** Loads the page above; nothing when there is none, or when one is loading. */
  async loadOlder(): Promise<void> {
    const { loading, loaded, hasOlder } = this.#snapshot;
    if (loading || !loaded || !hasOlder) return;
    const load = this.#load;
    this.#set({ loading: true, error: undefined });
    const kept = await this.#client.local.stretch(this.conversation, this.#from, PAGE);
    if (load !== this.#load) return;
    if (kept && kept.messages.length > 0) {
      this.#show(merge(kept.messages, this.#snapshot.messages), kept.from, false);
      return;
    }
    const before = Math.min(this.#from, kept?.from ?? this.#from);
    const page = await this.#page(before, load);
    if (!page) return;
    const from = page.more ? page.nextSeq : page.firstSeq;
    this.#show(merge(page.messages, this.#snapshot.messages), from, false, page.firstSeq);
  }

  /** Sends; the message stands among `outgoing` until it is stored. */
  send(sendable: Sendable, options: SendOptions = {}): void {
    // What becomes of it is shown.
    this.#client.send(this.conversation, sendable, options).catch(() => {});
  }

  /** Sends a failed message again, with the same id: it can't be stored twice. */
  retry(clientMessageId: string): void {
    this.#client.resend(this.conversation, clientMessageId).catch(() => {});
  }

  /** Forgets a failed message. */
  discard(clientMessageId: string): void {
    this.#client.discard(this.conversation, clientMessageId);
  }

  #arrived(message: Message): void {
    if (isCommand(message)) return;
    if (this.#pending) {
      this.#early.push(message);
      if (this.#early.length > MESSAGES_MAX) this.#early.shift();
      this.#set({});
    } else if (this.#snapshot.loaded) {
      const { messages, hasOlder } = this.#snapshot;
      const all = merge(messages, [message]);
      const kept = all.slice(-MESSAGES_MAX);
      if (kept.length < all.length) this.#from = kept[0]?.seq ?? this.#from;
      this.#set({ messages: kept, hasOlder: hasOlder || kept.length < all.length });
    }
  }

  #replace(message: Message): void {
    const { messages, loading } = this.#snapshot;
    if (loading) {
      this.#changed.set(message.seq, message);
      this.#early = this.#early.map((one) => (one.seq === message.seq ? newer(one, message) : one));
    }
    const at = messages.findIndex(({ seq }) => seq === message.seq);
    const known = messages[at];
    if (!known) return;
    const all = [...messages];
    all[at] = newer(known, message);
    this.#set({ messages: all });
  }

  #remove(seqs: readonly number[]): void {
    const { messages, loading } = this.#snapshot;
    if (loading) for (const seq of seqs) this.#deleted.add(seq);
    this.#early = this.#early.filter(({ seq }) => !seqs.includes(seq));
    const rest = messages.filter(({ seq }) => !seqs.includes(seq));
    if (rest.length < messages.length) this.#set({ messages: rest });
  }

  /** What is below is not the user's to see any more. */
  #cut(firstSeq: number): void {
    const { messages } = this.#snapshot;
    if ((messages[0]?.seq ?? firstSeq) >= firstSeq) return;
    this.#from = Math.max(this.#from, firstSeq);
    this.#set({ messages: messages.filter(({ seq }) => seq >= firstSeq), hasOlder: false });
  }

  #show(messages: readonly Message[], from: number, loading: boolean, firstSeq?: number): void {
    const first = firstSeq ?? this.#client.list.get(this.conversation)?.firstSeq ?? 1;
    const present = messages
      .filter((one) => one.seq >= first && !this.#deleted.has(one.seq) && !isCommand(one))
      .map((message) => newer(message, this.#changed.get(message.seq) ?? message));
    if (!loading) {
      this.#changed.clear();
      this.#deleted.clear();
    }
    this.#from = from;
    this.#set({ messages: present, loading, loaded: true, hasOlder: from > first });
  }

  async #page(before: number | undefined, load: number): Promise<HistoryPage | undefined> {
    try {
      const options = before === undefined ? { limit: PAGE } : { before, limit: PAGE };
      const page = await this.#client.history(this.conversation, options);
      return load === this.#load ? page : undefined;
    } catch (error) {
      if (load !== this.#load) return undefined;
      const reason = error as AnserError;
      const nothingYet = reason.code === NOT_FOUND || reason.code === NOT_A_MEMBER;
      if (nothingYet && this.conversation.startsWith("p/")) {
        // A private chat comes into being with its first message.
        return { messages: [], more: false, nextSeq: 0, headSeq: 0, firstSeq: 1, rev: 0 };
      }
      this.#set({ loading: false, error: reason });
      return undefined;
    }
  }

  #set(change: Partial<TimelineSnapshot>): void {
    const messages = change.messages ?? this.#snapshot.messages;
    const newest = messages.at(-1)?.seq ?? 0;
    const outgoing = this.#client.outgoing
      .of(this.conversation)
      .filter(({ seq }) => seq === undefined || seq > newest);
    this.#snapshot = { ...this.#snapshot, ...change, outgoing };
    for (const listener of [...this.#listeners]) listener();
  }
}

/** Both lists, ascending, each sequence once. Usually the second follows the first. */
function merge(first: readonly Message[], second: readonly Message[]): readonly Message[] {
  const last = first.at(-1);
  const next = second[0];
  if (!last || !next || last.seq < next.seq) return [...first, ...second];
  const bySeq = new Map([...first, ...second].map((message) => [message.seq, message]));
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
