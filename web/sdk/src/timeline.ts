/**
 * One conversation as a screen shows it: a stretch of history that ends at the newest message,
 * live messages as they come, and the user's own that are on their way or failed.
 *
 * The stretch has no holes: it grows upwards by `loadOlder` and downwards by the client's
 * `message` events, which have none either; when the client skipped something, the stretch is
 * loaded anew from the newest. An own message is replaced, by its client message id, by the stored
 * one. State is read by `subscribe` and `getSnapshot`, so any framework can show it.
 */
import type { AnserClient } from "./client.js";
import { AnserError } from "./errors.js";
import type { Content, HistoryPage, Message, Sendable } from "./types.js";
import { contentFrom, makeMessage } from "./wire.js";

/** Messages kept; the oldest beyond are dropped, and loaded again when asked for. */
const MESSAGES_MAX = 2_000;
const PAGE = 50;
const NOT_FOUND = 3010;
const NOT_A_MEMBER = 3011;

/** A message of the user's own that the server has not confirmed. */
export interface Outgoing {
  readonly clientMessageId: string;
  readonly content: Content;
  /** The body of a text message. */
  readonly text: string | undefined;
  /** `sent`: stored as `seq`; what stands before it in the conversation is still to come. */
  readonly state: "sending" | "sent" | "failed";
  readonly seq: number | undefined;
  readonly error: AnserError | undefined;
}

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

type Client = Pick<AnserClient, "history" | "send" | "on" | "newMessageId">;

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
  readonly #outgoing = new Map<string, Outgoing>();
  #snapshot = EMPTY;
  /** Arrived before the first page, which may or may not have them. */
  #early: Message[] = [];
  /** Counts loads from the newest: a page of an earlier one is of no use. */
  #load = 0;

  /** @internal Made by `client.timeline`. */
  constructor(client: Client, conversation: string) {
    this.#client = client;
    this.conversation = conversation;
    this.#stops = [
      client.on("message", (message) => this.#arrived(message)),
      client.on("skipped", (skipped) => {
        if (skipped.conversation === conversation) void this.reload();
      }),
      client.on("reset", ({ epochChanged }) => {
        if (epochChanged) void this.reload();
      }),
      client.on("synced", () => {
        if (!this.#snapshot.loaded && !this.#snapshot.loading) void this.reload();
      }),
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
    this.#set({ loading: true, loaded: false, error: undefined });
    const page = await this.#page(undefined, load);
    if (!page) return;
    const messages = merge(page.messages, this.#early);
    this.#early = [];
    this.#confirm(messages);
    this.#set({ messages, loading: false, loaded: true, hasOlder: page.more });
  }

  /** Loads the page above; nothing when there is none, or when one is loading. */
  async loadOlder(): Promise<void> {
    const { loading, loaded, hasOlder, messages } = this.#snapshot;
    const oldest = messages[0];
    if (loading || !loaded || !hasOlder || !oldest) return;
    this.#set({ loading: true, error: undefined });
    const page = await this.#page(oldest.seq, this.#load);
    if (!page) return;
    const all = merge(page.messages, this.#snapshot.messages);
    this.#set({ messages: all, loading: false, hasOlder: page.more });
  }

  /** Sends; the message stands among `outgoing` until it is stored. */
  send(sendable: Sendable): void {
    const content = contentFrom(sendable);
    this.#transmit(this.#client.newMessageId(), content);
  }

  /** Sends a failed message again, with the same id: it can't be stored twice. */
  retry(clientMessageId: string): void {
    const failed = this.#outgoing.get(clientMessageId);
    if (failed?.state === "failed") this.#transmit(clientMessageId, failed.content);
  }

  /** Forgets a failed message. */
  discard(clientMessageId: string): void {
    if (this.#outgoing.get(clientMessageId)?.state !== "failed") return;
    this.#outgoing.delete(clientMessageId);
    this.#set({});
  }

  #transmit(clientMessageId: string, content: Content): void {
    const { text } = makeMessage(NOBODYS, content);
    const unsure = { seq: undefined, error: undefined };
    const outgoing: Outgoing = { clientMessageId, content, text, state: "sending", ...unsure };
    this.#outgoing.delete(clientMessageId);
    this.#outgoing.set(clientMessageId, outgoing);
    this.#set({});
    this.#client.send(this.conversation, content, { clientMessageId }).then(
      ({ seq }) => {
        if (this.#outgoing.get(clientMessageId) !== outgoing) return;
        this.#outgoing.set(clientMessageId, { ...outgoing, state: "sent", seq });
        if (this.#snapshot.loaded) this.#confirm(this.#snapshot.messages.slice(-1));
        this.#set({});
      },
      (error: AnserError) => {
        if (this.#outgoing.get(clientMessageId) !== outgoing) return;
        this.#outgoing.set(clientMessageId, { ...outgoing, state: "failed", error });
        this.#set({});
      },
    );
  }

  #arrived(message: Message): void {
    if (message.conversation !== this.conversation) return;
    if (!this.#snapshot.loaded) {
      this.#early.push(message);
      if (this.#early.length > MESSAGES_MAX) this.#early.shift();
      return;
    }
    this.#confirm([message]);
    const { messages, hasOlder } = this.#snapshot;
    const all = merge(messages, [message]);
    const kept = all.slice(-MESSAGES_MAX);
    this.#set({ messages: kept, hasOlder: hasOlder || kept.length < all.length });
  }

  /** These messages are shown: what is outgoing no longer is. */
  #confirm(messages: readonly Message[]): void {
    const newest = messages.at(-1)?.seq ?? 0;
    for (const { clientMessageId } of messages) this.#outgoing.delete(clientMessageId);
    for (const [id, { seq }] of this.#outgoing) {
      if (seq !== undefined && seq <= newest) this.#outgoing.delete(id);
    }
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
        return { messages: [], more: false, headSeq: 0, firstSeq: 1 };
      }
      this.#set({ loading: false, error: reason });
      return undefined;
    }
  }

  #set(change: Partial<TimelineSnapshot>): void {
    this.#snapshot = { ...this.#snapshot, ...change, outgoing: [...this.#outgoing.values()] };
    for (const listener of [...this.#listeners]) listener();
  }
}

const NOBODYS = {
  conversation: "",
  seq: 0,
  id: "",
  sender: "",
  clientMessageId: "",
  time: 0,
  counted: false,
};

/** Both lists, ascending, each sequence once. Usually the second follows the first. */
function merge(first: readonly Message[], second: readonly Message[]): readonly Message[] {
  const last = first.at(-1);
  const next = second[0];
  if (!last || !next || last.seq < next.seq) return [...first, ...second];
  const bySeq = new Map([...first, ...second].map((message) => [message.seq, message]));
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}
