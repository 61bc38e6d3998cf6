/**
 * A database that lives and ends with its object: for Node, for pages that may keep nothing, and
 * for tests. Everything happens at once. Messages are bounded: the longest unused conversation
 * loses its oldest first, which the server still has.
 */
import type { Conversation, Message } from "../types.js";
import {
  type Change,
  type Database,
  type Draft,
  type Loaded,
  type MessageQuery,
  type Put,
  type Removal,
  type SavedFeed,
  type SavedOutgoing,
  type SavedPosition,
  type SavedUpload,
  type SearchPage,
  type SearchQuery,
  type Stretch,
  limitOf,
  revOf,
} from "./database.js";
import { type Range, rangeBelow, rangesFrom, withRange } from "./ranges.js";
import { parseSearch } from "./terms.js";

/** Messages held, all conversations together. */
export const MEMORY_MESSAGES_MAX = 20_000;

interface History {
  readonly messages: Map<number, Message>;
  ranges: readonly Range[];
  /** Ascending; made when it is asked for. */
  sorted: readonly Message[] | undefined;
}

export class MemoryDatabase implements Database {
  #feed: SavedFeed | undefined;
  readonly #rows = new Map<string, Conversation>();
  readonly #positions = new Map<string, SavedPosition>();
  readonly #outgoing = new Map<string, SavedOutgoing>();
  readonly #drafts = new Map<string, Draft>();
  readonly #uploads = new Map<string, SavedUpload>();
  /** In the order of use. */
  readonly #histories = new Map<string, History>();
  readonly #messagesMax: number;
  #size = 0;

  constructor(messagesMax = MEMORY_MESSAGES_MAX) {
    this.#messagesMax = messagesMax;
  }

  load(): Loaded {
    return {
      feed: this.#feed,
      conversations: [...this.#rows.values()],
      positions: [...this.#positions.values()],
      outgoing: this.#ordered(),
      drafts: [...this.#drafts.values()],
      uploads: [...this.#uploads.values()],
    };
  }

  write(changes: readonly Change[]): undefined {
    for (const change of changes) {
      if ("put" in change) this.#put(change);
      else this.#remove(change);
    }
    this.#evict();
  }

  async messages(query: MessageQuery): Promise<readonly Message[]> {
    const { conversation, from = "newest", limit } = query;
    const found = this.#sorted(conversation).filter((message) => fits(message, query));
    return from === "newest" ? found.slice(-limitOf(limit)) : found.slice(0, limitOf(limit));
  }

  async message(id: string): Promise<Message | undefined> {
    for (const { messages } of this.#histories.values()) {
      for (const message of messages.values()) if (message.id === id) return message;
    }
    return undefined;
  }

  async bySeq(conversation: string, seqs: readonly number[]): Promise<readonly Message[]> {
    const messages = this.#histories.get(conversation)?.messages;
    return seqs.flatMap((seq) => messages?.get(seq) ?? []);
  }

  async stretch(
    conversation: string,
    before: number | undefined,
    limit: number,
  ): Promise<Stretch | undefined> {
    const range = rangeBelow(this.#histories.get(conversation)?.ranges ?? [], before);
    if (!range) return undefined;
    const end = Math.min(before ?? Number.POSITIVE_INFINITY, range.to + 1);
    const all = this.#sorted(conversation).filter(({ seq }) => seq >= range.from && seq < end);
    const messages = all.slice(-limit);
    const [first] = messages;
    const cut = first && messages.length < all.length;
    return { messages, from: cut ? first.seq : range.from };
  }

  async search(query: SearchQuery): Promise<SearchPage> {
    const search = parseSearch(query.text);
    if (!search) return { messages: [], more: false };
    const limit = limitOf(query.limit);
    const within =
      query.conversation === undefined ? [...this.#histories.keys()] : [query.conversation];
    const found = within
      .flatMap((conversation) => [...this.#sorted(conversation)])
      .filter((message) => wanted(message, query) && search.matches(message.text ?? ""))
      .sort(newestFirst);
    return { messages: found.slice(0, limit), more: found.length > limit };
  }

  async adopt(from: string, to: string): Promise<readonly SavedOutgoing[]> {
    const adopted = this.#ordered().filter(({ holder }) => holder === from);
    return adopted.map((one) => {
      const mine = { ...one, holder: to };
      this.#outgoing.set(outgoingKey(one), mine);
      return mine;
    });
  }

  close(): void {}

  #put(change: Put): void {
    switch (change.put) {
      case "feed":
        this.#feed = change.feed;
        break;
      case "conversation":
        this.#rows.set(change.row.id, change.row);
        break;
      case "position":
        this.#positions.set(change.position.conversation, change.position);
        break;
      case "message":
        this.#putMessage(change.message);
        break;
      case "changed": {
        const { conversation, seq } = change.message;
        const stored = this.#histories.get(conversation)?.messages.has(seq);
        if (stored) this.#putMessage(change.message);
        break;
      }
      case "range": {
        const history = this.#history(change.conversation);
        history.ranges = withRange(history.ranges, change);
        break;
      }
      case "outgoing":
        this.#outgoing.set(outgoingKey(change.outgoing), change.outgoing);
        break;
      case "draft":
        this.#drafts.set(change.draft.conversation, change.draft);
        break;
      case "upload":
        this.#uploads.set(change.upload.key, change.upload);
        break;
    }
  }

  #remove(change: Removal): void {
    switch (change.remove) {
      case "outgoing":
        this.#outgoing.delete(outgoingKey(change));
        break;
      case "draft":
        this.#drafts.delete(change.conversation);
        break;
      case "upload":
        this.#uploads.delete(change.key);
        break;
      case "messages":
        for (const seq of change.seqs) this.#drop(change.conversation, seq);
        break;
      case "older":
        for (const { seq } of this.#sorted(change.conversation)) {
          if (seq < change.below) this.#drop(change.conversation, seq);
        }
        break;
      case "history":
        this.#size -= this.#histories.get(change.conversation)?.messages.size ?? 0;
        this.#histories.delete(change.conversation);
        break;
      case "list":
        this.#feed = undefined;
        this.#rows.clear();
        break;
      case "all":
        this.#outgoing.clear();
        this.#drafts.clear();
        this.#uploads.clear();
        this.#clearSynced();
        break;
      case "synced":
        this.#clearSynced();
        break;
    }
  }

  #clearSynced(): void {
    this.#feed = undefined;
    this.#rows.clear();
    this.#positions.clear();
    this.#histories.clear();
    this.#size = 0;
  }

  #putMessage(message: Message): void {
    const history = this.#history(message.conversation);
    const known = history.messages.get(message.seq);
    if (known && revOf(known) > revOf(message)) return;
    if (!known) this.#size += 1;
    history.messages.set(message.seq, message);
    history.sorted = undefined;
  }

  #drop(conversation: string, seq: number): void {
    const history = this.#histories.get(conversation);
    if (!history?.messages.delete(seq)) return;
    history.sorted = undefined;
    this.#size -= 1;
  }

  #history(conversation: string): History {
    const fresh: History = { messages: new Map(), ranges: [], sorted: undefined };
    const history = this.#histories.get(conversation) ?? fresh;
    this.#histories.delete(conversation);
    this.#histories.set(conversation, history);
    return history;
  }

  #sorted(conversation: string): readonly Message[] {
    const history = this.#histories.get(conversation);
    if (!history) return [];
    history.sorted ??= [...history.messages.values()].sort((a, b) => a.seq - b.seq);
    return history.sorted;
  }

  /** Lets a tenth more go than it must, so that it need not be done for every message. */
  #evict(): void {
    if (this.#size <= this.#messagesMax) return;
    for (const [conversation, history] of this.#histories) {
      const excess = this.#size - Math.floor(this.#messagesMax * 0.9);
      if (excess <= 0) return;
      const dropped = this.#sorted(conversation).slice(0, excess);
      for (const { seq } of dropped) this.#drop(conversation, seq);
      history.ranges = rangesFrom(history.ranges, (dropped.at(-1)?.seq ?? 0) + 1);
    }
  }

  #ordered(): SavedOutgoing[] {
    return [...this.#outgoing.values()].sort((a, b) => a.order - b.order);
  }
}

function outgoingKey(one: { conversation: string; clientMessageId: string }): string {
  return `${one.conversation}\n${one.clientMessageId}`;
}

export function fits(message: Message, query: MessageQuery): boolean {
  const { after = -1, before = Number.POSITIVE_INFINITY, types } = query;
  const { since = 0, until = Number.POSITIVE_INFINITY } = query;
  const { seq, time, content } = message;
  const inside = seq > after && seq < before && time >= since && time < until;
  return inside && (!types || types.includes(content.type));
}

export function wanted(message: Message, query: SearchQuery): boolean {
  const { conversation, sender, since = 0, until = Number.POSITIVE_INFINITY } = query;
  if (conversation !== undefined && message.conversation !== conversation) return false;
  if (sender !== undefined && message.sender !== sender) return false;
  return message.time >= since && message.time < until;
}

export function newestFirst(a: Message, b: Message): number {
  return b.time - a.time || b.seq - a.seq || (a.conversation < b.conversation ? -1 : 1);
}
