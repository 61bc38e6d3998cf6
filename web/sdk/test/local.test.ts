/** Clients with a database that outlives them: reloads, offline starts, several tabs. */
import "fake-indexeddb/auto";

import assert from "node:assert/strict";
import { test } from "node:test";

import type { AnserClient, ClientOptions } from "../src/client.js";
import type { Change, Database } from "../src/store/database.js";
import { IndexedDatabase } from "../src/store/indexed.js";
import { MemoryDatabase } from "../src/store/memory.js";
import { type Locks, processLocks } from "../src/store/tabs.js";
import { recall } from "./mini-changes.js";
import { MiniServer } from "./mini-server.js";
import { type Setup, join, observe, outcome } from "./setup.js";
import { World } from "./world.js";

const TALK = "p/alice/bob";
let names = 0;

interface Device {
  readonly world: World;
  readonly server: MiniServer;
  /** A page: a client with this device's database. */
  open(options?: Partial<ClientOptions>): Page;
}

type Page = Omit<Setup, "world" | "server">;

function device(): Device {
  const world = new World();
  const server = new MiniServer(world.wallClock);
  const name = `device ${++names}`;
  const locks = processLocks();
  const open = (options: Partial<ClientOptions> = {}): Page => {
    const database = new IndexedDatabase(name);
    return observe(join(server, world, "alice", { database, locks, ...options }));
  };
  return { world, server, open };
}

/** The page ends without a word, as when it is reloaded: its locks are let go of, nothing else. */
async function crash({ client }: Page, world: World): Promise<void> {
  // What is being written is written; what would be sent is not.
  await idle(world);
  client.local.close();
}

/** IndexedDB takes turns of its own. */
async function idle(world: World): Promise<void> {
  for (let i = 0; i < 30; i++) await world.settle();
}

async function until(world: World, what: string, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 5_000 && !holds(); i++) await world.settle();
  assert.ok(holds(), what);
}

async function start(page: Page, world: World): Promise<void> {
  void page.client.connect();
  await idle(world);
}

test("after a reload without a network everything is there", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  for (let i = 1; i <= 5; i++) server.append(TALK, "bob", `letter ${i} 鸿雁`);
  await world.settle();
  void first.client.markRead(TALK, 2);
  first.client.local.setDraft(TALK, "dear bob");
  await idle(world);
  await crash(first, world);

  server.reachable = false;
  const second = open();
  await second.client.local.ready;
  assert.equal(second.client.userId, "alice", "known before there is a connection");
  const [row] = second.client.list.getSnapshot();
  assert.deepEqual(
    [row?.id, row?.unread, row?.readSeq, row?.newest?.text],
    [TALK, 3, 2, "letter 5 鸿雁"],
  );
  assert.equal(second.client.local.draft(TALK), "dear bob");
  const timeline = second.client.timeline(TALK);
  await idle(world);
  assert.equal(timeline.getSnapshot().messages.length, 5);
  const found = await second.client.local.search({ text: "雁" });
  assert.equal(found.messages.length, 5);
  assert.equal(second.client.list.unread, 3);
});

test("after a reload the client goes on where it was: nothing missed, nothing twice", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  server.append(TALK, "bob", "1");
  server.append("p/alice/carol", "carol", "c1");
  await idle(world);
  await crash(first, world);
  server.cut();
  server.append(TALK, "bob", "2");
  recall(server, TALK, 1);
  server.append("p/alice/dave", "dave", "d1");

  const second = open();
  await start(second, world);
  const sync = server.commands("sync").at(-1);
  assert.ok(sync && sync.feedVersion > 0n, "only what came since is asked for");
  assert.deepEqual(second.texts().sort(), ["2", "d1"]);
  assert.deepEqual(
    second.events("changed").map(({ seq }) => seq),
    [1],
  );
  assert.equal(second.client.list.getSnapshot().length, 3);
  assert.equal(second.client.list.get(TALK)?.unread, 1);
  const kept = await second.client.local.messages({ conversation: TALK });
  assert.deepEqual(
    kept.map(({ text, state }) => (state?.recall ? "-" : text)),
    ["-", "2"],
  );
});

test("a message that waits survives the page, with its id and in its order", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  server.reachable = false;
  server.cut();
  for (const text of ["1", "2", "3"]) void first.client.send(TALK, text).catch(() => {});
  await idle(world);
  const ids = first.client.outgoing.of(TALK).map(({ clientMessageId }) => clientMessageId);
  assert.deepEqual(
    first.client.outgoing.of(TALK).map(({ state }) => state),
    Array(3).fill("sending"),
  );
  await crash(first, world);

  const second = open();
  void second.client.connect();
  await idle(world);
  assert.deepEqual(
    second.client.outgoing.of(TALK).map(({ text, state }) => [text, state]),
    [
      ["1", "sending"],
      ["2", "sending"],
      ["3", "sending"],
    ],
  );
  server.reachable = true;
  await world.pass(31_000);
  await idle(world);
  assert.deepEqual(second.texts(TALK), ["1", "2", "3"]);
  assert.deepEqual(
    server.talk(TALK).messages.map((one) => one.clientMessageId),
    ids,
  );
  assert.deepEqual(second.client.outgoing.of(TALK), []);
  await crash(second, world);
  const third = open();
  await start(third, world);
  assert.equal(server.talk(TALK).messages.length, 3, "sent once");
});

test("sent, and the page ends before the answer: sent again with the same id, stored once", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  server.talking = false;
  void first.client.send(TALK, "hi").catch(() => {});
  await idle(world);
  assert.equal(server.talk(TALK).messages.length, 1);
  await crash(first, world);
  server.cut();
  server.talking = true;
  const second = open();
  await start(second, world);
  assert.equal(server.talk(TALK).messages.length, 1);
  const times = server.commands("sendMessage").map(({ firstTryTime }) => firstTryTime);
  assert.equal(times.length, 2);
  assert.equal(times[0], times[1], "the time of the first try is kept, too");
  assert.deepEqual(second.client.outgoing.of(TALK), []);
});

test("a message that failed is there after a reload, to be sent again or discarded", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  server.judge = ({ command }) => (command.case === "sendMessage" ? { error: 3012 } : undefined);
  const sent = outcome(first.client.send(TALK, "no"));
  void first.client.send(TALK, "never").catch(() => {});
  await idle(world);
  assert.equal(sent.code, 3012);
  await crash(first, world);
  server.judge = () => undefined;
  const second = open();
  await start(second, world);
  const [no, never] = second.client.outgoing.of(TALK);
  assert.deepEqual([no?.state, no?.error?.code, never?.text], ["failed", 3012, "never"]);
  const timeline = second.client.timeline(TALK);
  timeline.retry(no?.clientMessageId ?? "");
  timeline.discard(never?.clientMessageId ?? "");
  await idle(world);
  assert.deepEqual(second.texts(), ["no"]);
  await crash(second, world);
  const third = open();
  await start(third, world);
  assert.deepEqual(third.client.outgoing.of(TALK), []);
});

test("two tabs: what one has queued the other does not send, until the first is gone", async () => {
  const { world, server, open } = device();
  const [one, two] = [open({ deviceId: "one" }), open({ deviceId: "two" })];
  await start(one, world);
  server.reachable = false;
  server.cut();
  void one.client.send(TALK, "from one").catch(() => {});
  await idle(world);
  server.reachable = true;
  await start(two, world);
  const three = open({ deviceId: "three" });
  await start(three, world);
  assert.equal(server.commands("sendMessage").length, 0, "it is one's, which is alive");
  await crash(one, world);
  await idle(world);
  assert.equal(server.commands("sendMessage").length, 1, "one of the others, once");
  assert.equal(server.talk(TALK).messages.length, 1);
});

test("two tabs: the list is written by one, and by the other when that is gone", async () => {
  const { world, server, open } = device();
  const [one, two] = [open({ deviceId: "one" }), open({ deviceId: "two" })];
  await start(one, world);
  await start(two, world);
  server.append(TALK, "bob", "1");
  await idle(world);
  one.client.disconnect();
  await crash(one, world);
  server.append(TALK, "bob", "2");
  await idle(world);
  await crash(two, world);
  server.reachable = false;
  const three = open();
  await three.client.local.ready;
  assert.deepEqual(
    [three.client.list.get(TALK)?.headSeq, three.client.list.get(TALK)?.unread],
    [2, 2],
  );
});

test("two tabs, two users: neither has what is the other's; who is left empties it", async () => {
  const { world, server, open } = device();
  const one = open({ deviceId: "one" });
  await start(one, world);
  const two = open({ deviceId: "two", token: "eve" });
  server.append(TALK, "bob", "for alice");
  await idle(world);
  await start(two, world);
  server.append("p/bob/eve", "bob", "for eve");
  server.append(TALK, "bob", "alice again");
  await idle(world);
  const found = async ({ client }: Page, text: string): Promise<number> =>
    (await client.local.search({ text })).messages.length;
  assert.deepEqual([await found(one, "alice"), await found(one, "eve")], [2, 0]);
  assert.deepEqual([await found(two, "alice"), await found(two, "eve")], [0, 1]);
  assert.deepEqual(
    two.events("storage").map(({ code }) => code),
    [530],
  );
  await crash(one, world);
  await idle(world);
  assert.equal(await found(two, "eve"), 1);
  server.reachable = false;
  const three = open();
  await three.client.local.ready;
  assert.equal(three.client.list.getSnapshot().length, 0);
  assert.equal(await found(three, "alice"), 0);
});

test("another user empties the database", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  server.append(TALK, "bob", "for alice");
  first.client.local.setDraft(TALK, "secret");
  await idle(world);
  await crash(first, world);
  server.cut();
  const second = open({ token: "eve" });
  await start(second, world);
  assert.equal(second.client.userId, "eve");
  assert.equal(second.client.list.getSnapshot().length, 0);
  assert.equal(second.client.local.draft(TALK), "");
  assert.deepEqual((await second.client.local.search({ text: "alice" })).messages, []);
});

for (const end of ["disconnect", "logout", "close"] as const) {
  test(`${end}() before the local database is open: nothing is connected`, async () => {
    const { world, server, open } = device();
    const { client } = open();
    const connected = outcome(client.connect());
    void client[end]();
    await idle(world);
    assert.equal(server.opened, 0);
    assert.equal(connected.code, 300);
  });
}

test("connect, disconnect, connect before the local database is open: one connection", async () => {
  const { world, server, open } = device();
  const { client } = open();
  void client.connect();
  client.disconnect();
  await Promise.all([client.connect(), idle(world)]);
  assert.equal(server.opened, 1);
});

test("close(): what waits is not failed; the next client sends it", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  server.reachable = false;
  server.cut();
  const sent = outcome(first.client.send(TALK, "later"));
  await idle(world);
  first.client.close();
  await idle(world);
  assert.equal(sent.code, 510);
  server.reachable = true;
  const second = open();
  await start(second, world);
  assert.deepEqual(second.texts(TALK), ["later"]);
  assert.deepEqual(second.client.outgoing.of(TALK), []);
});

test("a draft that is set before the local database is open stays", async () => {
  const { world, open } = device();
  const first = open();
  await start(first, world);
  first.client.local.setDraft(TALK, "old");
  first.client.local.setDraft("g/emptied", "old");
  first.client.local.setDraft("g/kept", "kept");
  assert.equal(first.client.local.drafts()[0]?.time, world.wallClock());
  await crash(first, world);
  const second = open();
  second.client.local.setDraft(TALK, "new");
  second.client.local.setDraft("g/emptied", "");
  const drafts = ({ client }: Page) =>
    [TALK, "g/emptied", "g/kept"].map((talk) => client.local.draft(talk));
  await second.client.local.ready;
  assert.deepEqual(drafts(second), ["new", "", "kept"]);
  await crash(second, world);
  const third = open();
  await third.client.local.ready;
  assert.deepEqual(drafts(third), ["new", "", "kept"]);
});

test("back in a group: what was recalled or deleted meanwhile is not shown", async () => {
  const { world, server, open } = device();
  const page = open();
  const talk = server.newGroup("team", "Team", "bob", ["alice"]);
  for (let i = 2; i <= 130; i++) server.append(talk.id, "bob", String(i));
  await start(page, world);
  const texts = (): string[] =>
    timeline
      .getSnapshot()
      .messages.flatMap(({ text, state }) => (state?.recall ? [] : (text ?? [])));
  const timeline = page.client.timeline(talk.id);
  const loadAll = async (): Promise<void> => {
    await until(world, "the beginning", () => {
      void timeline.loadOlder();
      const { loaded, hasOlder, loading } = timeline.getSnapshot();
      return loaded && !hasOlder && !loading;
    });
  };
  await idle(world);
  await loadAll();
  assert.ok(texts().includes("2") && texts().includes("3"));
  const member = talk.members.get("alice");
  assert.ok(member);
  member.present = false;
  server.touch(talk, "alice");
  await idle(world);
  const kept = await page.client.local.messages({ conversation: talk.id, limit: 500 });
  assert.equal(kept.length, 130, "what was left can still be read");
  server.pushing = false;
  recall(server, talk.id, 2);
  member.deleted.push(3);
  server.pushing = true;
  member.present = true;
  server.touch(talk, "alice");
  await idle(world);
  await loadAll();
  assert.ok(!texts().includes("2") && !texts().includes("3"));
  assert.deepEqual((await page.client.local.search({ text: "2", limit: 1 })).messages.length, 1);
  const stale = await page.client.local.messages({ conversation: talk.id, before: 4 });
  assert.deepEqual(
    stale.map(({ seq, text }) => [seq, text]),
    [
      [1, undefined],
      [2, ""],
    ],
  );
});

test("another epoch: what was kept of the server is void", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  for (let i = 1; i <= 5; i++) server.append(TALK, "bob", String(i));
  await idle(world);
  await crash(first, world);
  server.cut();
  server.epoch += 1n;
  server.talk(TALK).messages.length = 2;
  const second = open();
  await start(second, world);
  const timeline = second.client.timeline(TALK);
  await idle(world);
  assert.deepEqual(
    timeline.getSnapshot().messages.map(({ seq }) => seq),
    [1, 2],
  );
  assert.deepEqual(await second.client.local.messages({ conversation: TALK, after: 2 }), []);
});

test("older messages come from the device when it has them", async () => {
  const { world, server, open } = device();
  const page = open();
  for (let i = 1; i <= 120; i++) server.append(TALK, "bob", String(i));
  await start(page, world);
  const timeline = page.client.timeline(TALK);
  await idle(world);
  for (let i = 0; i < 2; i++) {
    void timeline.loadOlder();
    await idle(world);
  }
  assert.equal(timeline.getSnapshot().messages.length, 120);
  assert.equal(timeline.getSnapshot().hasOlder, false);
  const asked = server.commands("pullMessages").length;
  timeline.close();
  const again = page.client.timeline(TALK);
  await idle(world);
  for (let i = 0; i < 2; i++) {
    void again.loadOlder();
    await idle(world);
  }
  const seqs = again.getSnapshot().messages.map(({ seq }) => seq);
  assert.deepEqual(
    seqs,
    Array.from({ length: 120 }, (_, i) => i + 1),
  );
  assert.equal(server.commands("pullMessages").length, asked + 1, "only the newest page");
});

test("a stored stretch that does not connect to the newest page gives way to it", async () => {
  const { world, server, open } = device();
  const first = open();
  await start(first, world);
  for (let i = 1; i <= 10; i++) server.append(TALK, "bob", String(i));
  await idle(world);
  await crash(first, world);
  server.cut();
  for (let i = 11; i <= 1_500; i++) server.append(TALK, "bob", String(i));
  const second = open();
  await start(second, world);
  const timeline = second.client.timeline(TALK);
  const newest = () => timeline.getSnapshot().messages.at(-1)?.text;
  await until(world, "the newest page", () => newest() === "1500");
  const { messages, hasOlder } = timeline.getSnapshot();
  assert.equal(messages.at(-1)?.text, "1500");
  messages.forEach((message, i) => assert.equal(message.seq, (messages[0]?.seq ?? 0) + i));
  assert.ok(hasOlder);
});

test("import: history from elsewhere is found, and does not undo what is known", async () => {
  const { world, server, open } = device();
  const page = open();
  await start(page, world);
  server.append(TALK, "bob", "taken back");
  await idle(world);
  const [original] = await page.client.local.messages({ conversation: TALK });
  assert.ok(original);
  recall(server, TALK, 1);
  await idle(world);
  const old = { ...original, conversation: "g/archive" };
  await page.client.local.import([original, old]);
  const found = await page.client.local.search({ text: "taken" });
  assert.deepEqual(
    found.messages.map(({ conversation }) => conversation),
    ["g/archive"],
  );
});

test("a database that can't be opened: told once, and the client works without", async () => {
  const { world, server, open } = device();
  const broken = new MemoryDatabase();
  broken.load = () => Promise.reject(new Error("no room")) as never;
  const page = open({ database: broken });
  void page.client.connect();
  server.append(TALK, "bob", "1");
  const sent = outcome(page.client.send(TALK, "2"));
  await idle(world);
  assert.equal(sent.value?.seq, 2);
  assert.deepEqual(
    page.events("storage").map(({ code }) => code),
    [530],
  );
});

test("a database that fails later: told once; messages are sent all the same", async () => {
  const { world, open } = device();
  class Full extends MemoryDatabase {
    full = false;
    override write(changes: readonly Change[]): undefined {
      if (this.full) return Promise.reject(new Error("quota")) as unknown as undefined;
      return super.write(changes);
    }
  }
  const database = new Full();
  const page = open({ database });
  await start(page, world);
  database.full = true;
  const sent = ["1", "2"].map((text) => outcome(page.client.send(TALK, text)));
  await idle(world);
  assert.deepEqual(
    sent.map(({ value }) => value?.seq),
    [1, 2],
  );
  assert.equal(page.events("storage").length, 1);
});

test("nothing is on its way before it is stored", async () => {
  const { world, server, open } = device();
  let release = (): void => {};
  const slow = new MemoryDatabase();
  const write = slow.write.bind(slow);
  const page = open({ database: slow });
  await start(page, world);
  slow.write = ((changes: readonly Change[]) =>
    new Promise<void>((resolve) => {
      release = () => {
        write(changes);
        resolve();
      };
    })) as unknown as Database["write"] as never;
  void page.client.send(TALK, "hi");
  await world.settle();
  assert.deepEqual(
    page.client.outgoing.of(TALK).map(({ state }) => state),
    ["storing"],
  );
  assert.equal(server.commands("sendMessage").length, 0);
  release();
  await world.settle();
  assert.equal(server.commands("sendMessage").length, 1);
});

test("a client without a user keeps nothing, and is complete all the same", async () => {
  const { world, server } = device();
  const locks: Locks = { take: () => assert.fail("nothing is shared") };
  const client: AnserClient = join(server, world, "alice", { locks });
  void client.connect();
  await world.settle();
  server.append(TALK, "bob", "鸿雁");
  await world.settle();
  assert.equal((await client.local.search({ text: "雁" })).messages.length, 1);
});
