/**
 * The database of browsers: IndexedDB.
 *
 * ```text
 *   meta           "feed"                            how far the list was synced
 *   conversations  id                                rows of the list
 *   positions      conversation                      how far each is known
 *   ranges         conversation                      what is stored without a hole
 *   messages       [conversation, seq]               and by id, by type, by time
 *   terms          [term, time, conversation, seq]   for search, newest last
 *   outgoing       [conversation, clientMessageId]
 *   drafts         conversation
 *   uploads        key                               files that are not whole on the server yet
 * ```
 *
 * Several tabs share one database. Each call is one transaction, so they never see half of
 * another's. Durability is the browser's relaxed one: what is written survives the page and the
 * browser, and may not survive a loss of power within a second. A schema that is younger than
 * this code, or a database that can't be opened, is an error of `load`; the client goes on
 * without, see `local.ts`.
 */
import { systemEnvironment } from "../environment.js";
import type { Message } from "../types.js";
import {
  type Change,
  type Database,
  type Loaded,
  type MessageQuery,
  type Put,
  type Removal,
  type SavedFeed,
  type SavedOutgoing,
  type SearchPage,
  type SearchQuery,
  type StoredMessage,
  type Stretch,
  limitOf,
  revOf,
  storedConversation,
  storedMessage,
  storedOutgoing,
  storedPosition,
  toStored,
} from "./database.js";
import { textOf } from "../wire.js";
import { fits, newestFirst, wanted } from "./memory.js";
import { type Range, rangeBelow, withRange } from "./ranges.js";
import { parseSearch, termsOf } from "./terms.js";

/** Entries of one search that are looked at, be they of the wanted conversation or not. */
const SEARCH_SCAN_MAX = 5_000;
/** Words of one beginning that are looked for, in the order of the alphabet. */
export const SEARCH_WORDS_MAX = 1_000;
/** Another tab with an older version has so long to let go, in milliseconds. */
const OPEN_TIMEOUT_MS = 5_000;

const STORES = [
  "meta",
  "conversations",
  "positions",
  "ranges",
  "messages",
  "terms",
  "outgoing",
  "drafts",
  "uploads",
] as const;

/** What the device has that the server has not. */
const OWN: ReadonlySet<string> = new Set(["outgoing", "drafts", "uploads"]);

/** From version `i` to `i + 1`. Written once, never changed: databases of each version exist. */
const MIGRATIONS: readonly ((database: IDBDatabase) => void)[] = [
  (database) => {
    database.createObjectStore("meta");
    database.createObjectStore("conversations", { keyPath: "id" });
    database.createObjectStore("positions", { keyPath: "conversation" });
    database.createObjectStore("ranges", { keyPath: "conversation" });
    const messages = database.createObjectStore("messages", { keyPath: ["conversation", "seq"] });
    messages.createIndex("id", "id");
    messages.createIndex("type", ["conversation", "content.type", "seq"]);
    messages.createIndex("time", ["conversation", "time", "seq"]);
    database.createObjectStore("terms");
    database.createObjectStore("outgoing", { keyPath: ["conversation", "clientMessageId"] });
    database.createObjectStore("drafts", { keyPath: "conversation" });
  },
  (database) => {
    database.createObjectStore("uploads", { keyPath: "key" });
  },
];

/** The version that this code writes. */
export const SCHEMA_VERSION = MIGRATIONS.length;

/** Above every number and string in the order of keys. */
const LAST: never[] = [];

export class IndexedDatabase implements Database {
  readonly #factory: IDBFactory;
  readonly #name: string;
  /** The other side took the database away; later calls fail. */
  readonly #lost: (error: unknown) => void;
  readonly #scanMax: number;
  readonly #timer: (milliseconds: number, run: () => void) => () => void;
  #open: IDBDatabase | undefined;

  constructor(
    name: string,
    lost: (error: unknown) => void = () => {},
    timer = systemEnvironment.timer,
    factory = indexedDB,
    scanMax = SEARCH_SCAN_MAX,
  ) {
    this.#name = name;
    this.#lost = lost;
    this.#timer = timer;
    this.#scanMax = scanMax;
    this.#factory = factory;
  }

  async load(): Promise<Loaded> {
    this.#open ??= await this.#opened();
    const at = this.#begin("readonly");
    const [feed, conversations, positions, outgoing, drafts, uploads] = await Promise.all([
      done(at("meta").get("feed")),
      done(at("conversations").getAll()),
      done(at("positions").getAll()),
      done(at("outgoing").getAll()),
      done(at("drafts").getAll()),
      done(at("uploads").getAll()),
    ]);
    return {
      feed: feed as SavedFeed | undefined,
      conversations: conversations.map(storedConversation),
      positions: positions.map(storedPosition),
      outgoing: outgoing.map(storedOutgoing).sort(byOrder),
      drafts,
      uploads,
    };
  }

  async write(changes: readonly Change[]): Promise<void> {
    await this.#change(async (at) => {
      for (const change of changes) {
        // Within one transaction, in order: later ones may read what earlier ones wrote.
        if ("put" in change) await put(at, change);
        else await remove(at, change);
      }
    });
  }

  async messages(query: MessageQuery): Promise<readonly Message[]> {
    const limit = limitOf(query.limit);
    if (isEmpty(query.since, query.until) || isEmpty(query.after, query.before)) return [];
    const newest = query.from !== "oldest";
    const { source, range } = plan(this.#begin("readonly")("messages"), query);
    const found: Message[] = [];
    await walk(source.openCursor(range, newest ? "prev" : "next"), ({ value }) => {
      const message = storedMessage(value as StoredMessage);
      if (fits(message, query)) found.push(message);
      return found.length < limit;
    });
    return found.sort((a, b) => a.seq - b.seq);
  }

  async message(id: string): Promise<Message | undefined> {
    const stored: unknown = await done(this.#begin("readonly")("messages").index("id").get(id));
    return stored ? storedMessage(stored as StoredMessage) : undefined;
  }

  async bySeq(conversation: string, seqs: readonly number[]): Promise<readonly Message[]> {
    const messages = this.#begin("readonly")("messages");
    const stored = await Promise.all(seqs.map((seq) => done(messages.get([conversation, seq]))));
    return stored.flatMap((one: StoredMessage | undefined) => (one ? storedMessage(one) : []));
  }

  async stretch(
    conversation: string,
    before: number | undefined,
    limit: number,
  ): Promise<Stretch | undefined> {
    const at = this.#begin("readonly");
    const kept = (await done(at("ranges").get(conversation))) as Ranges | undefined;
    const range = rangeBelow(kept?.ranges ?? [], before);
    if (!range) return undefined;
    const end = Math.min(before ?? Number.POSITIVE_INFINITY, range.to + 1);
    const keys = IDBKeyRange.bound([conversation, range.from], [conversation, end], false, true);
    const messages: Message[] = [];
    let cut = false;
    await walk(at("messages").openCursor(keys, "prev"), ({ value }) => {
      cut = messages.length === limit;
      if (!cut) messages.push(storedMessage(value as StoredMessage));
      return !cut;
    });
    messages.reverse();
    return { messages, from: cut ? (messages[0]?.seq ?? range.from) : range.from };
  }

  async search(query: SearchQuery): Promise<SearchPage> {
    const search = parseSearch(query.text);
    const { since = 0, until = Number.POSITIVE_INFINITY, conversation } = query;
    if (!search || isEmpty(since, until)) return { messages: [], more: false };
    const limit = limitOf(query.limit);
    const at = this.#begin("readonly");
    const words = search.prefix ? await wordsFrom(at("terms"), search.term) : [search.term];
    const terms = words.slice(0, SEARCH_WORDS_MAX);
    const entries = await Entries.of(at("terms"), terms, since, until);
    const found: Message[] = [];
    // A message may have several words of one beginning.
    const seen = new Set<string>();
    let more = words.length > terms.length;
    for (let visited = 0; entries.newest; visited += 1, await entries.advance()) {
      const [, , talk, seq] = entries.newest;
      if (visited >= this.#scanMax) {
        more = true;
        break;
      }
      const key = `${seq} ${talk}`;
      if (seen.has(key) || (conversation !== undefined && conversation !== talk)) continue;
      seen.add(key);
      const stored: unknown = await done(at("messages").get([talk, seq]));
      if (!stored) continue;
      const message = storedMessage(stored as StoredMessage);
      if (!wanted(message, query) || !search.matches(message.text ?? "")) continue;
      if (found.length >= limit) {
        more = true;
        break;
      }
      found.push(message);
    }
    return { messages: found.sort(newestFirst), more };
  }

  async adopt(from: string, to: string): Promise<readonly SavedOutgoing[]> {
    const adopted: SavedOutgoing[] = [];
    await this.#change(async (at) => {
      const all = (await done(at("outgoing").getAll())).map(storedOutgoing);
      for (const one of all.filter(({ holder }) => holder === from)) {
        const mine = { ...one, holder: to };
        at("outgoing").put(mine);
        adopted.push(mine);
      }
    });
    return adopted.sort(byOrder);
  }

  close(): void {
    this.#open?.close();
    this.#open = undefined;
  }

  #opened(): Promise<IDBDatabase> {
    return new Promise((resolve, reject) => {
      const request = this.#factory.open(this.#name, SCHEMA_VERSION);
      let cancel = (): void => {};
      // A tab with an older version is asked to let go, and may not listen.
      request.onblocked = () => {
        const give = (): void => reject(new Error("another tab holds it"));
        cancel = this.#timer(OPEN_TIMEOUT_MS, give);
      };
      request.onupgradeneeded = ({ oldVersion }) => {
        for (const migrate of MIGRATIONS.slice(oldVersion)) migrate(request.result);
      };
      request.onerror = () => {
        cancel();
        reject(request.error ?? new Error("it can't be opened"));
      };
      request.onsuccess = () => {
        cancel();
        const database = request.result;
        // A younger version of this code, in another tab, wants to change the schema.
        database.onversionchange = () => {
          database.close();
          this.#lost(new Error("a newer version of this page took the database"));
        };
        database.onclose = () => this.#lost(new Error("the browser closed the database"));
        resolve(database);
      };
    });
  }

  #begin(mode: "readonly"): At {
    return stores(this.#transaction(mode));
  }

  async #change(work: (at: At) => Promise<void>): Promise<void> {
    const transaction = this.#transaction("readwrite");
    const ended = new Promise<void>((resolve, reject) => {
      transaction.oncomplete = () => resolve();
      transaction.onabort = () => reject(transaction.error ?? new Error("it was aborted"));
    });
    try {
      await work(stores(transaction));
    } catch (error) {
      abort(transaction);
      await ended.catch(() => {});
      throw error;
    }
    await ended;
  }

  #transaction(mode: IDBTransactionMode): IDBTransaction {
    if (!this.#open) throw new Error("the database is not open");
    return this.#open.transaction(STORES, mode, { durability: "relaxed" });
  }
}

interface Ranges {
  readonly conversation: string;
  readonly ranges: readonly Range[];
}

type At = (store: (typeof STORES)[number]) => IDBObjectStore;

function stores(transaction: IDBTransaction): At {
  return (store) => transaction.objectStore(store);
}

function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
  } catch {
    // It ended by itself, as after a request that failed.
  }
}

async function put(at: At, change: Put): Promise<void> {
  switch (change.put) {
    case "feed":
      at("meta").put(change.feed, "feed");
      break;
    case "conversation": {
      const { newest } = change.row;
      at("conversations").put({ ...change.row, newest: newest && toStored(newest) });
      break;
    }
    case "position":
      at("positions").put(change.position);
      break;
    case "message":
      await putMessage(at, change.message);
      break;
    case "changed": {
      const { conversation, seq } = change.message;
      const stored = await done(at("messages").getKey([conversation, seq]));
      if (stored !== undefined) await putMessage(at, change.message);
      break;
    }
    case "range": {
      const { conversation, from, to } = change;
      const kept = (await done(at("ranges").get(conversation))) as Ranges | undefined;
      at("ranges").put({ conversation, ranges: withRange(kept?.ranges ?? [], { from, to }) });
      break;
    }
    case "outgoing":
      at("outgoing").put(change.outgoing);
      break;
    case "draft":
      at("drafts").put(change.draft);
      break;
    case "upload":
      at("uploads").put(change.upload);
      break;
  }
}

async function remove(at: At, change: Removal): Promise<void> {
  switch (change.remove) {
    case "outgoing":
      at("outgoing").delete([change.conversation, change.clientMessageId]);
      break;
    case "draft":
      at("drafts").delete(change.conversation);
      break;
    case "upload":
      at("uploads").delete(change.key);
      break;
    case "messages":
      for (const seq of change.seqs) {
        await removeMessages(at, IDBKeyRange.only([change.conversation, seq]));
      }
      break;
    case "older": {
      const { conversation, below } = change;
      await removeMessages(
        at,
        IDBKeyRange.bound([conversation], [conversation, below], false, true),
      );
      break;
    }
    case "history":
      at("ranges").delete(change.conversation);
      await removeMessages(
        at,
        IDBKeyRange.bound([change.conversation], [change.conversation, LAST]),
      );
      break;
    case "list":
      at("meta").clear();
      at("conversations").clear();
      break;
    case "synced":
      for (const store of STORES) {
        if (!OWN.has(store)) at(store).clear();
      }
      break;
    case "all":
      for (const store of STORES) at(store).clear();
      break;
  }
}

async function putMessage(at: At, message: Message): Promise<void> {
  const key = [message.conversation, message.seq];
  const stored = (await done(at("messages").get(key))) as StoredMessage | undefined;
  const known = stored && storedMessage(stored);
  if (known && revOf(known) > revOf(message)) return;
  const before = known ? termsOf(known.text ?? "") : [];
  const terms = termsOf(textOf(message.content) ?? "");
  if (known && (known.time !== message.time || before.join() !== terms.join())) {
    for (const term of before) at("terms").delete([term, known.time, ...key]);
  }
  at("messages").put(toStored(message));
  for (const term of terms) at("terms").put(1, [term, message.time, ...key]);
}

function removeMessages(at: At, range: IDBKeyRange): Promise<void> {
  return walk(at("messages").openCursor(range), (cursor) => {
    const { conversation, seq, time, text } = storedMessage(cursor.value as StoredMessage);
    for (const term of termsOf(text ?? "")) at("terms").delete([term, time, conversation, seq]);
    cursor.delete();
    return true;
  });
}

/** The index that leads to the fewest messages, and the part of it. */
function plan(
  messages: IDBObjectStore,
  query: MessageQuery,
): { source: IDBObjectStore | IDBIndex; range: IDBKeyRange } {
  const { conversation, after, before, since, until, types } = query;
  const timed = since !== undefined || until !== undefined;
  const [type] = types ?? [];
  const bounds = (prefix: IDBValidKey[], low: number | undefined, high: number | undefined) =>
    IDBKeyRange.bound(
      low === undefined ? prefix : [...prefix, low],
      high === undefined ? [...prefix, LAST] : [...prefix, high],
      false,
      high !== undefined,
    );
  if (timed) return { source: messages.index("time"), range: bounds([conversation], since, until) };
  if (type !== undefined && types?.length === 1) {
    return { source: messages.index("type"), range: bounds([conversation, type], after, before) };
  }
  return { source: messages, range: bounds([conversation], after, before) };
}

/** No number is at least `low` and below `high`. */
function isEmpty(low: number | undefined, high: number | undefined): boolean {
  return low !== undefined && high !== undefined && low >= high;
}

/** Term, time, conversation and sequence of a message that has the term. */
type Entry = readonly [string, number, string, number];

/** The entries of some terms, the newest first: a cursor in each, from its end. */
class Entries {
  readonly #cursors: { readonly request: IDBRequest<IDBCursor | null>; key: Entry }[] = [];
  #first = -1;

  static async of(
    store: IDBObjectStore,
    terms: readonly string[],
    since: number,
    until: number,
  ): Promise<Entries> {
    const entries = new Entries();
    const open = terms.map(async (term) => {
      const range = IDBKeyRange.bound([term, since], [term, until], false, true);
      const request = store.openKeyCursor(range, "prev");
      const cursor = await done(request);
      if (cursor) entries.#cursors.push({ request, key: keyOf(cursor) });
    });
    await Promise.all(open);
    entries.#choose();
    return entries;
  }

  get newest(): Entry | undefined {
    return this.#cursors[this.#first]?.key;
  }

  /** To the entry after the newest. */
  async advance(): Promise<void> {
    const one = this.#cursors[this.#first];
    if (!one) return;
    one.request.result?.continue();
    const cursor = await done(one.request);
    if (cursor) one.key = keyOf(cursor);
    else this.#cursors.splice(this.#first, 1);
    this.#choose();
  }

  #choose(): void {
    this.#first = 0;
    for (const [i, { key }] of this.#cursors.entries()) {
      if (key[1] > (this.newest?.[1] ?? 0)) this.#first = i;
    }
  }
}

function keyOf(cursor: IDBCursor): Entry {
  return cursor.key as unknown as Entry;
}

/** The words that begin so, each once; one more than are looked for if there are more. */
async function wordsFrom(terms: IDBObjectStore, beginning: string): Promise<string[]> {
  const words: string[] = [];
  const range = IDBKeyRange.bound([beginning], [`${beginning}\uffff`, LAST]);
  const request = terms.openKeyCursor(range);
  for (let cursor = await done(request); cursor; cursor = await done(request)) {
    const [word] = keyOf(cursor);
    words.push(word);
    if (words.length > SEARCH_WORDS_MAX) break;
    // Past the entries of this one.
    cursor.continue([word, LAST]);
  }
  return words;
}

function byOrder(a: SavedOutgoing, b: SavedOutgoing): number {
  return a.order - b.order;
}

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("a request failed"));
  });
}

/** Calls `visit` for one after the other, until it says that it has enough. */
function walk<C extends IDBCursor>(
  request: IDBRequest<C | null>,
  visit: (cursor: C) => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error ?? new Error("a request failed"));
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor || !visit(cursor)) resolve();
      else cursor.continue();
    };
  });
}
