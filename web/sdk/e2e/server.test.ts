/** This SDK against the built server. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AnserClient, AnserError, privateWith } from "../src/index.js";
import { peer, until } from "./peers.js";
import { Server } from "./server.js";

let server: Server;

before(async () => {
  server = await Server.start();
});

after(() => server.remove());

const codeIs = (code: number) => (error: unknown) =>
  error instanceof AnserError && error.code === code;

test("two people talk; each sees every message once and in order", async () => {
  const [alice, bob] = await Promise.all([peer(server, "alice"), peer(server, "bob")]);
  const talk = privateWith("alice", "bob");
  const sent = await Promise.all([
    alice.client.send(talk, "1"),
    alice.client.send(talk, "2"),
    alice.client.send(talk, { type: "app.wave", body: new Uint8Array([7]) }),
  ]);
  assert.deepEqual(
    sent.map(({ seq }) => seq),
    [1, 2, 3],
  );
  await bob.client.send(talk, "4");
  await until("all have all", () => alice.messages.length === 4 && bob.messages.length === 4);
  assert.deepEqual(
    alice.messages.map(({ id }) => id),
    bob.messages.map(({ id }) => id),
  );
  assert.deepEqual(bob.messages[2]?.content, { type: "app.wave", body: new Uint8Array([7]) });
  assert.equal(bob.messages[0]?.sender, "alice");
  assert.equal(bob.client.list.get(talk)?.unread, 3);
  for (const { client } of [alice, bob]) client.disconnect();
});

test("history in both directions, and the conversation list", async () => {
  const ann = await peer(server, "ann");
  const talk = privateWith("ann", "ann");
  for (let i = 1; i <= 25; i++) await ann.client.send(talk, String(i));
  const newest = await ann.client.history(talk, { limit: 10 });
  assert.deepEqual(
    newest.messages.map(({ seq }) => seq),
    [16, 17, 18, 19, 20, 21, 22, 23, 24, 25],
  );
  assert.equal(newest.more, true);
  const older = await ann.client.history(talk, { before: 16, limit: 100 });
  assert.deepEqual([older.messages.length, older.messages[0]?.seq, older.more], [15, 1, false]);
  const after = await ann.client.history(talk, { after: 23 });
  assert.deepEqual(
    after.messages.map(({ text }) => text),
    ["24", "25"],
  );
  const page = await ann.client.conversations();
  assert.deepEqual(
    page.conversations.map(({ id, headSeq }) => [id, headSeq]),
    [[talk, 25]],
  );
  ann.client.disconnect();
});

test("a resend with the same id is the same message", async () => {
  const dora = await peer(server, "dora");
  const talk = privateWith("dora", "dora");
  const clientMessageId = dora.client.newMessageId();
  const first = await dora.client.send(talk, "once", { clientMessageId });
  const again = await dora.client.send(talk, "once", { clientMessageId });
  assert.equal(again.id, first.id);
  assert.deepEqual(dora.texts(), ["once"]);
  dora.client.disconnect();
});

test("own devices: sends and reads reach the other one", async () => {
  await server.token("gil");
  const phone = await peer(server, "eva", { device: "phone", platform: "android" });
  const desk = await peer(server, "eva", { device: "desk", platform: "desktop" });
  const gil = await peer(server, "gil");
  const talk = privateWith("eva", "gil");
  await gil.client.send(talk, "hello");
  await phone.client.send(talk, "from the phone");
  await until("the desk has it", () => desk.texts().includes("from the phone"));
  assert.deepEqual(desk.texts(), ["hello", "from the phone"]);
  await until("unread", () => desk.client.list.get(talk)?.unread === 1);
  const read = await phone.client.markRead(talk, 2);
  assert.deepEqual(read, { conversation: talk, readSeq: 2, unread: 0, unreadMentions: 0 });
  await until("read elsewhere", () => desk.client.list.get(talk)?.unread === 0);
  for (const { client } of [phone, desk, gil]) client.disconnect();
});

test("groups: create, add, remove, quit, dismiss", async () => {
  const [olga, paul, quinn] = await Promise.all(
    ["olga", "paul", "quinn"].map((user) => peer(server, user)),
  );
  assert.ok(olga && paul && quinn);
  const group = await olga.client.createGroup({ name: "Geese", members: ["paul"] });
  const talk = group.conversation;
  await until("paul is in", () => paul.client.list.get(talk)?.name === "Geese");
  assert.equal((await olga.client.addGroupMembers(group.id, ["quinn"])).memberCount, 3);
  await until("quinn is in", () => quinn.client.list.get(talk)?.member === true);
  await olga.client.send(talk, "welcome");
  await until("all have it", () =>
    [olga, paul, quinn].every((one) => one.texts(talk).includes("welcome")),
  );
  assert.equal((await paul.client.getGroup(group.id)).memberCount, 3);
  const { members } = await paul.client.groupMembers(group.id);
  assert.deepEqual(members.map(({ userId }) => userId).sort(), ["olga", "paul", "quinn"]);
  await assert.rejects(paul.client.removeGroupMembers(group.id, ["quinn"]), codeIs(3012));
  await quinn.client.quitGroup(group.id);
  await until("quinn is out", () => quinn.client.list.get(talk)?.member === false);
  await assert.rejects(quinn.client.send(talk, "still here?"), codeIs(3011));
  await olga.client.removeGroupMembers(group.id, ["paul"]);
  await until("paul is out", () => paul.client.list.get(talk)?.member === false);
  await olga.client.dismissGroup(group.id);
  await assert.rejects(olga.client.send(talk, "anybody?"), AnserError);
  for (const { client } of [olga, paul, quinn]) client.disconnect();
});

test("the server is killed and restarted: nothing acknowledged is lost, nothing doubled", async () => {
  const [rosa, sven] = await Promise.all([peer(server, "rosa"), peer(server, "sven")]);
  const talk = privateWith("rosa", "sven");
  const sends: Promise<unknown>[] = [];
  for (let i = 1; i <= 10; i++) sends.push(rosa.client.send(talk, String(i)));
  await sends[4];
  await server.kill();
  for (let i = 11; i <= 20; i++) sends.push(rosa.client.send(talk, String(i)));
  await server.restart();
  await Promise.all(sends);
  const expected = Array.from({ length: 20 }, (_, i) => String(i + 1));
  await until("sven has all", () => sven.messages.length >= 20);
  assert.deepEqual(sven.texts(), expected);
  assert.deepEqual(rosa.texts(), expected);
  assert.deepEqual(
    sven.messages.map(({ seq }) => seq),
    expected.map(Number),
  );
  await until("unread", () => sven.client.list.get(talk)?.unread === 20);
  for (const { client } of [rosa, sven]) client.disconnect();
});

test("away for a while: what was missed arrives, in old and new conversations", async () => {
  const [tara, uwe, vera] = await Promise.all(
    ["tara", "uwe", "vera"].map((user) => peer(server, user)),
  );
  assert.ok(tara && uwe && vera);
  const known = privateWith("tara", "uwe");
  const fresh = privateWith("tara", "vera");
  await uwe.client.send(known, "0");
  await until("the first one", () => tara.messages.length === 1);
  tara.client.disconnect();
  for (let i = 1; i <= 130; i++) void uwe.client.send(known, String(i));
  await vera.client.send(fresh, "a");
  await vera.client.send(fresh, "b");
  await until("all sent", () => uwe.messages.length === 131);
  await tara.client.connect();
  await until("all arrived", () => tara.messages.length >= 133);
  assert.deepEqual(
    tara.texts(known),
    Array.from({ length: 131 }, (_, i) => String(i)),
  );
  assert.deepEqual(tara.texts(fresh), ["a", "b"]);
  assert.equal(tara.client.list.get(known)?.unread, 131);
  assert.equal(tara.client.list.get(fresh)?.unread, 2);
  for (const { client } of [tara, uwe, vera]) client.disconnect();
});

test("a token that is none: closed, with the reason", async () => {
  const client = new AnserClient({ url: server.ws, token: "nonsense", deviceId: "d" });
  await assert.rejects(client.connect(), codeIs(2000));
  assert.equal(client.state.state, "closed");
});

test("never connected: 510", async () => {
  const client = new AnserClient({ url: server.url, token: "unused", deviceId: "d" });
  await assert.rejects(client.send("p/a/b", "x"), codeIs(510));
});

test("logout ends the session", async () => {
  const wim = await peer(server, "wim");
  await wim.client.logout();
  assert.equal(wim.client.state.state, "closed");
  await assert.rejects(wim.client.send("p/wim/wim", "x"), codeIs(510));
});

test("content beyond the limit is refused, and the next message goes on", async () => {
  const xena = await peer(server, "xena");
  const talk = privateWith("xena", "xena");
  await assert.rejects(xena.client.send(talk, "x".repeat(5_000)), codeIs(3003));
  assert.equal((await xena.client.send(talk, "short")).seq, 1);
  xena.client.disconnect();
});
