/** One suite for every database: what holds for one holds for the other. */
import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";

import {
  type Change,
  type Database,
  EMPTY_CONVERSATION,
  type SavedOutgoing,
} from "../src/store/database.js";
import { IndexedDatabase, SCHEMA_VERSION, SEARCH_WORDS_MAX } from "../src/store/indexed.js";
import { MemoryDatabase } from "../src/store/memory.js";
import { RANGES_MAX, withRange } from "../src/store/ranges.js";
import { TERMS_MAX, parseSearch, termsOf } from "../src/store/terms.js";
import type { Conversation, Message, MessageState } from "../src/types.js";
import { contentFrom, makeMessage } from "../src/wire.js";

const TALK = "p/alice/bob";
let databases = 0;

const BACKENDS: Record<string, () => Promise<Database>> = {
  memory: async () => new MemoryDatabase(),
  indexed: async () => {
    const database = new IndexedDatabase(`test ${++databases}`);
    await database.load();
    return database;
  },
};

const UPLOAD = { key: "a.png 3 7", media: "m1", name: "a.png", bytes: 3, createdTime: 5 };

/** Runs a test with each of them. */
function each(name: string, run: (database: Database) => Promise<void>): void {
  for (const [backend, make] of Object.entries(BACKENDS)) {
    test(`${name} (${backend})`, async () => {
      const database = await make();
      await run(database);
      database.close();
    });
  }
}

function state(rev: number, change: Partial<MessageState> = {}): MessageState {
  const none = { recall: undefined, edit: undefined, expansion: [], reactions: [] };
  return { rev, time: rev, ...none, ...change };
}

function message(seq: number, text: string, change: Partial<Message> = {}): Message {
  const { conversation = TALK } = change;
  const {
    text: _text,
    notice: _notice,
    content,
    ...fields
  } = {
    ...makeMessage(
      {
        conversation,
        seq,
        id: `${conversation} ${seq}`,
        sender: "bob",
        clientMessageId: "",
        time: seq * 10,
        counted: true,
        mention: undefined,
        targets: [],
        burnAfterSeconds: 0,
        receiptWanted: false,
        state: undefined,
      },
      contentFrom(text),
    ),
    ...change,
  };
  return makeMessage(fields, content);
}

function row(id: string): Conversation {
  const newest = message(1, "hi", { conversation: id });
  return { ...EMPTY_CONVERSATION, id, headSeq: 1, newest, lastTime: 10, unread: 1 };
}

function outgoing(order: number, holder: string): SavedOutgoing {
  return {
    conversation: TALK,
    clientMessageId: `c${order}`,
    content: contentFrom(`text ${order}`),
    readUpTo: 0,
    mention: undefined,
    targets: [],
    uncounted: false,
    receiptWanted: false,
    burnAfterSeconds: 0,
    order,
    holder,
    createdTime: order,
    firstTry: undefined,
    failed: undefined,
  };
}

const put = (...messages: Message[]): Change[] =>
  messages.map((one) => ({ put: "message", message: one }));

const range = (from: number, to: number): Change => ({
  put: "range",
  conversation: TALK,
  from,
  to,
});

const seqs = (messages: readonly Message[]): number[] => messages.map(({ seq }) => seq);

each("what is written is loaded", async (database) => {
  const feed = {
    userId: "alice",
    epoch: "7",
    feedVersion: "18446744073709551615",
    syncedTime: "5",
  };
  const position = { conversation: TALK, position: 4, rev: 2, deletedVersion: 1 };
  const draft = { conversation: TALK, text: "dear", time: 3 };
  await database.write([
    { put: "feed", feed },
    { put: "conversation", row: row(TALK) },
    { put: "position", position },
    { put: "draft", draft },
    { put: "outgoing", outgoing: outgoing(2, "tab") },
    { put: "outgoing", outgoing: outgoing(1, "tab") },
    { put: "upload", upload: UPLOAD },
  ]);
  const loaded = await database.load();
  assert.deepEqual(loaded.feed, feed);
  assert.deepEqual(loaded.conversations, [row(TALK)]);
  assert.deepEqual(loaded.positions, [position]);
  assert.deepEqual(loaded.drafts, [draft]);
  assert.deepEqual(loaded.outgoing, [outgoing(1, "tab"), outgoing(2, "tab")]);
  assert.deepEqual(loaded.uploads, [UPLOAD]);
  await database.write([
    { remove: "outgoing", conversation: TALK, clientMessageId: "c1" },
    { remove: "draft", conversation: TALK },
    { remove: "upload", key: UPLOAD.key },
  ]);
  const after = await database.load();
  assert.deepEqual([after.outgoing, after.drafts], [[outgoing(2, "tab")], []]);
  assert.deepEqual(after.uploads, []);
});

each("messages by sequence, type, time and id, from both ends", async (database) => {
  const image = { content: { type: "app.image", body: new Uint8Array([1]) } };
  const all = Array.from({ length: 20 }, (_, i) =>
    message(i + 1, `m${i + 1}`, i % 5 === 0 ? image : {}),
  );
  await database.write(put(...all, message(3, "elsewhere", { conversation: "g/x" })));
  const of = async (query: object) =>
    seqs(await database.messages({ conversation: TALK, ...query }));
  assert.deepEqual(await of({ limit: 3 }), [18, 19, 20]);
  assert.deepEqual(await of({ limit: 3, from: "oldest" }), [1, 2, 3]);
  assert.deepEqual(await of({ before: 10, limit: 2 }), [8, 9]);
  assert.deepEqual(await of({ after: 10, from: "oldest", limit: 2 }), [11, 12]);
  assert.deepEqual(await of({ after: 4, before: 8 }), [5, 6, 7]);
  assert.deepEqual(await of({ types: ["app.image"] }), [1, 6, 11, 16]);
  assert.deepEqual(await of({ types: ["app.image"], before: 16, limit: 1 }), [11]);
  assert.deepEqual(await of({ types: ["app.image", "text"], limit: 2 }), [19, 20]);
  assert.deepEqual(await of({ since: 100, until: 130 }), [10, 11, 12]);
  assert.deepEqual(await of({ since: 100, types: ["app.image"] }), [11, 16]);
  assert.deepEqual(await of({ since: 50, from: "oldest", limit: 2 }), [5, 6]);
  assert.deepEqual(await of({ conversation: "g/none" }), []);
  assert.equal((await database.message(`${TALK} 7`))?.text, "m7");
  assert.equal(await database.message("nobody's"), undefined);
  assert.deepEqual(seqs(await database.bySeq(TALK, [2, 99, 4])), [2, 4]);
  assert.deepEqual((await database.messages({ conversation: TALK, limit: 1 }))[0], all[19]);
});

each("the later state of a message stays, in whatever order they come", async (database) => {
  const recall = { operator: "bob", time: 1, burned: false };
  await database.write(put(message(1, "first words", { state: state(2) })));
  await database.write(put(message(1, "", { state: state(3, { recall }) })));
  await database.write(put(message(1, "first words"), message(1, "second", { state: state(1) })));
  const [stored] = await database.bySeq(TALK, [1]);
  assert.deepEqual(stored?.state, state(3, { recall }));
  assert.deepEqual((await database.search({ text: "words" })).messages, []);
});

each("stretches: what connects, down from a message or from the end", async (database) => {
  const all = [1, 2, 3, 5, 6, 9, 10].map((seq) => message(seq, `m${seq}`));
  await database.write([...put(...all), range(1, 3), range(5, 6), range(8, 10)]);
  const of = async (before: number | undefined, limit = 10) => {
    const stretch = await database.stretch(TALK, before, limit);
    return stretch && [seqs(stretch.messages), stretch.from];
  };
  assert.deepEqual(await of(undefined), [[9, 10], 8], "8 is not this user's to see");
  assert.deepEqual(await of(undefined, 1), [[10], 10]);
  assert.deepEqual(await of(10), [[9], 8]);
  assert.deepEqual(await of(8), undefined, "7 is not known");
  assert.deepEqual(await of(7), [[5, 6], 5]);
  await database.write([range(4, 4), range(7, 7)]);
  assert.deepEqual(await of(7), [[1, 2, 3, 5, 6], 1]);
  assert.deepEqual(await of(20), undefined);
  await database.write([{ remove: "history", conversation: TALK }]);
  assert.equal(await of(undefined), undefined);
  assert.deepEqual(await database.messages({ conversation: TALK }), []);
});

each("search: one Chinese character, two, words, mixtures", async (database) => {
  await database.write(
    put(
      message(1, "鸿雁传书，字字必达"),
      message(2, "大雁往南飞"),
      message(3, "传家书"),
      message(4, "The Wild Geese of iPhone手机", { sender: "eve" }),
      message(5, "ＧＥＥＳＥ を見た"),
      message(6, "雁", { conversation: "g/lake" }),
      message(7, "𠮷野家", { conversation: "g/lake" }),
    ),
  );
  const found = async (text: string, more: object = {}) =>
    (await database.search({ text, ...more })).messages.map(({ seq }) => seq);
  assert.deepEqual(await found("雁"), [6, 2, 1]);
  assert.deepEqual(await found("鸿雁"), [1]);
  assert.deepEqual(await found("传书"), [1], "the two stand together");
  assert.deepEqual(await found("字字必达"), [1]);
  assert.deepEqual(await found("字必字"), []);
  assert.deepEqual(await found("geese"), [5, 4], "full width, and without case");
  assert.deepEqual(await found("gee wil"), [4], "words by their beginnings");
  assert.deepEqual(await found("eese"), []);
  assert.deepEqual(await found("手机 iphone"), [4]);
  assert.deepEqual(await found("見"), [5]);
  assert.deepEqual(await found("𠮷"), [7]);
  assert.deepEqual(await found("  ，。"), []);
  assert.deepEqual(await found("雁", { conversation: "g/lake" }), [6]);
  assert.deepEqual(await found("geese", { sender: "eve" }), [4]);
  assert.deepEqual(await found("雁", { since: 20, until: 60 }), [2]);
  assert.deepEqual(await found("geese", { until: 50 }), [4]);
});

each("search gives the newest first and says that there is more", async (database) => {
  await database.write(
    put(...Array.from({ length: 30 }, (_, i) => message(i + 1, "同じ 雁 goose"))),
  );
  for (const text of ["雁", "goose"]) {
    const page = await database.search({ text, limit: 4 });
    assert.deepEqual([seqs(page.messages), page.more], [[30, 29, 28, 27], true]);
    const last = await database.search({ text, limit: 30 });
    assert.deepEqual([last.messages.length, last.more], [30, false]);
  }
});

each("bounds that nothing is between: nothing, not an error", async (database) => {
  await database.write(put(...[1, 2, 3].map((seq) => message(seq, "雁 goose"))));
  const of = async (query: object) =>
    seqs(await database.messages({ conversation: TALK, ...query }));
  assert.deepEqual(await of({ after: 3, before: 1 }), []);
  assert.deepEqual(await of({ after: 2, before: 2 }), []);
  assert.deepEqual(await of({ after: 1, before: 2 }), []);
  assert.deepEqual(await of({ since: 30, until: 10 }), []);
  assert.deepEqual(await of({ since: 20, until: 20 }), []);
  assert.deepEqual(await of({ after: 2, before: 1, types: ["text"] }), []);
  for (const text of ["雁", "goose"]) {
    const inverted = await database.search({ text, since: 30, until: 10 });
    assert.deepEqual(inverted, { messages: [], more: false });
    const empty = await database.search({ text, since: 20, until: 20 });
    assert.deepEqual(empty, { messages: [], more: false });
  }
});

/** So many entries of words with one beginning, in few messages. */
const crowd = (conversation: string, count: number, words: number): Message[] =>
  Array.from({ length: Math.ceil(count / words) }, (_, i) =>
    message(100 + i, Array.from({ length: words }, (_, word) => `goosez${word}`).join(" "), {
      conversation,
    }),
  );

test("search by the beginning of many words: the newest is found", async () => {
  const name = `test ${++databases}`;
  const database = new IndexedDatabase(name, undefined, undefined, undefined, 50);
  await database.load();
  await database.write(put(...crowd("g/lake", 100, 10)));
  await database.write(put(message(1_000, "goosea"), message(1, "wild goosea")));
  const newest = await database.search({ text: "goose", limit: 2 });
  assert.deepEqual([seqs(newest.messages), newest.more], [[1_000, 109], true]);
  const rare = await database.search({ text: "goose", conversation: TALK });
  assert.deepEqual([seqs(rare.messages), rare.more], [[1_000], true], "looking ends, and says so");
  const word = await database.search({ text: "goosea", conversation: TALK });
  assert.deepEqual([seqs(word.messages), word.more], [[1_000, 1], false]);
  database.close();
});

test("search by a beginning of more words than are looked for says that there is more", async () => {
  const database = new IndexedDatabase(`test ${++databases}`);
  await database.load();
  await database.write(put(...crowd(TALK, SEARCH_WORDS_MAX + 1, SEARCH_WORDS_MAX + 1)));
  const page = await database.search({ text: "goose" });
  assert.deepEqual([seqs(page.messages), page.more], [[100], true]);
  database.close();
});

each("what is removed is not found", async (database) => {
  await database.write(put(...[1, 2, 3, 4, 5].map((seq) => message(seq, "雁"))));
  await database.write([{ remove: "messages", conversation: TALK, seqs: [4, 77] }]);
  await database.write([{ remove: "older", conversation: TALK, below: 3 }]);
  assert.deepEqual(seqs((await database.search({ text: "雁" })).messages), [5, 3]);
  await database.write(put(message(5, "edited", { state: state(1) })));
  assert.deepEqual(seqs((await database.search({ text: "雁" })).messages), [3]);
  assert.deepEqual(seqs((await database.search({ text: "edited" })).messages), [5]);
});

each(
  "another epoch: drafts, uploads and what is outgoing stay; another user: nothing does",
  async (database) => {
    const draft = { conversation: TALK, text: "dear", time: 3 };
    await database.write([
      ...put(message(1, "雁")),
      range(1, 1),
      { put: "conversation", row: row(TALK) },
      { put: "draft", draft },
      { put: "upload", upload: UPLOAD },
      { put: "outgoing", outgoing: outgoing(1, "tab") },
    ]);
    await database.write([{ remove: "synced" }]);
    const loaded = await database.load();
    assert.deepEqual(
      [loaded.conversations, loaded.drafts.length, loaded.outgoing.length, loaded.uploads.length],
      [[], 1, 1, 1],
    );
    assert.deepEqual((await database.search({ text: "雁" })).messages, []);
    assert.equal(await database.stretch(TALK, undefined, 9), undefined);
    await database.write([{ remove: "all" }]);
    const nothing = await database.load();
    assert.deepEqual([nothing.drafts, nothing.outgoing, nothing.uploads], [[], [], []]);
  },
);

each("what another was to send is adopted once, in order", async (database) => {
  const left = [3, 1, 2].map((order): Change => ({
    put: "outgoing",
    outgoing: outgoing(order, "gone"),
  }));
  await database.write([...left, { put: "outgoing", outgoing: outgoing(9, "alive") }]);
  const both = await Promise.all([database.adopt("gone", "a"), database.adopt("gone", "b")]);
  assert.deepEqual(
    both.flat().map(({ order, holder }) => [order, holder]),
    [1, 2, 3].map((order) => [order, both[0].length > 0 ? "a" : "b"]),
  );
  const holders = (await database.load()).outgoing.map(({ holder }) => holder);
  assert.equal(new Set(holders).size, 2);
});

each("a change of a message that is not stored stores nothing", async (database) => {
  await database.write([...put(message(1, "a"), message(2, "b")), range(1, 2)]);
  await database.write([{ remove: "messages", conversation: TALK, seqs: [2] }]);
  const state = { rev: 1, time: 9, recall: undefined, edit: undefined };
  const later = { ...state, expansion: [{ key: "k", value: "v", user: "bob" }], reactions: [] };
  const changed = [1, 2, 3].map((seq): Change => {
    return { put: "changed", message: { ...message(seq, "c"), state: later } };
  });
  await database.write(changed);
  const stored = await database.messages({ conversation: TALK });
  assert.deepEqual(
    stored.map(({ seq, state: now }) => [seq, now?.expansion[0]?.value]),
    [[1, "v"]],
  );
});

test("memory is bounded: the oldest of the longest unused go, and are not said to be there", async () => {
  const database = new MemoryDatabase(100);
  for (const conversation of ["g/old", "g/new"]) {
    for (let seq = 1; seq <= 60; seq++) {
      database.write(put(message(seq, "x", { conversation })));
      database.write([{ put: "range", conversation, from: seq, to: seq }]);
    }
  }
  const old = await database.stretch("g/old", undefined, 100);
  const fresh = await database.stretch("g/new", undefined, 100);
  assert.equal(fresh?.messages.length, 60);
  assert.ok(old && old.messages.length < 60 && old.messages.length > 0);
  assert.equal(old.from, old.messages[0]?.seq);
});

test("a database of version 1 is read by this version", async () => {
  const fixture = JSON.parse(
    readFileSync(new URL("fixtures/database-v1.json", import.meta.url), "utf8"),
    (_key, value: unknown) =>
      typeof value === "string" && value.startsWith("base64:")
        ? new Uint8Array(Buffer.from(value.slice(7), "base64"))
        : value,
  ) as Fixture;
  await writeFixture("from version 1", fixture);
  const database = new IndexedDatabase("from version 1");
  const loaded = await database.load();
  assert.equal(loaded.feed?.userId, "alice");
  assert.deepEqual(
    loaded.conversations.map(({ id, unread, newest }) => [id, unread, newest?.text]),
    [[TALK, 2, "鸿雁传书"]],
  );
  assert.deepEqual(loaded.positions[0], {
    conversation: TALK,
    position: 2,
    rev: 1,
    deletedVersion: 0,
  });
  assert.deepEqual([loaded.outgoing[0]?.clientMessageId, loaded.drafts[0]?.text], ["c1", "dear"]);
  const { messages } = await database.search({ text: "雁" });
  assert.deepEqual(
    messages.map(({ seq, state }) => [seq, state?.edit?.count]),
    [[2, 1]],
  );
  assert.deepEqual(seqs((await database.stretch(TALK, undefined, 9))?.messages ?? []), [1, 2]);
  // Those came with version 2.
  await database.write([{ put: "upload", upload: UPLOAD }]);
  assert.deepEqual([loaded.uploads, (await database.load()).uploads], [[], [UPLOAD]]);
  database.close();
});

test("a database of a later version is refused, not damaged", async () => {
  const request = indexedDB.open("later", SCHEMA_VERSION + 1);
  await new Promise<void>((resolve) => (request.onsuccess = () => resolve()));
  request.result.close();
  await assert.rejects(async () => new IndexedDatabase("later").load(), { name: "VersionError" });
});

test("ranges join, stay apart, and are bounded", () => {
  let ranges = withRange([], { from: 5, to: 6 });
  ranges = withRange(ranges, { from: 9, to: 9 });
  assert.deepEqual(withRange(ranges, { from: 7, to: 8 }), [{ from: 5, to: 9 }]);
  assert.deepEqual(withRange(ranges, { from: 4, to: 3 }), ranges, "empty");
  assert.deepEqual(withRange(ranges, { from: 1, to: 3 })[0], { from: 1, to: 3 });
  for (let i = 10; i < 100; i++) ranges = withRange(ranges, { from: i * 10, to: i * 10 });
  assert.equal(ranges.length, RANGES_MAX);
  assert.equal(ranges.at(-1)?.to, 990);
});

test("terms: characters and pairs of them, words; bounded", () => {
  assert.deepEqual(termsOf("鸿雁书").sort(), ["书", "雁", "雁书", "鸿", "鸿雁"]);
  assert.deepEqual(termsOf("Hello, hello WORLD_2"), ["hello", "world", "2"]);
  const long = Array.from({ length: 5_000 }, (_, i) => String.fromCodePoint(0x4e00 + i)).join("");
  assert.equal(termsOf(long).length, TERMS_MAX);
  assert.equal(parseSearch("…"), undefined);
});

interface Fixture {
  readonly version: number;
  readonly stores: Record<
    string,
    {
      readonly keyPath: string | string[] | null;
      readonly indexes: Record<string, string | string[]>;
      readonly rows: readonly { readonly key: IDBValidKey; readonly value: unknown }[];
    }
  >;
}

/** Makes a database as that version made it, without this version's code. */
async function writeFixture(name: string, { version, stores }: Fixture): Promise<void> {
  const request = indexedDB.open(name, version);
  request.onupgradeneeded = () => {
    for (const [store, { keyPath, indexes, rows }] of Object.entries(stores)) {
      const made = request.result.createObjectStore(store, keyPath ? { keyPath } : {});
      for (const [index, path] of Object.entries(indexes)) made.createIndex(index, path);
      for (const { key, value } of rows) keyPath ? made.put(value) : made.put(value, key);
    }
  };
  await new Promise<void>((resolve) => (request.onsuccess = () => resolve()));
  request.result.close();
}
