import assert from "node:assert/strict";
import { test } from "node:test";

import { connected, join, observe, outcome, setup } from "./setup.js";

const TALK = "p/alice/bob";

test("the list comes in pages and is complete", async () => {
  const { server, client, world, events } = setup();
  server.syncPageMax = 10;
  for (let i = 0; i < 35; i++) server.append(`p/alice/u${i}`, `u${i}`, "hi");
  void client.connect();
  await world.settle();
  assert.equal(client.list.getSnapshot().length, 35);
  assert.equal(server.commands("sync").length, 4);
  assert.equal(events("synced").length, 1);
});

test("a sync that stopped half way starts again from the old position", async () => {
  const { server, client, world } = setup();
  server.syncPageMax = 10;
  for (let i = 0; i < 35; i++) server.append(`p/alice/u${i}`, `u${i}`, "hi");
  server.judge = ({ command }) =>
    command.case === "sync" && command.value.cursor === "20" ? { drop: true } : undefined;
  void client.connect();
  await world.settle();
  server.judge = () => undefined;
  server.cut();
  await world.pass(1_000);
  const [, , , again] = server.commands("sync");
  assert.deepEqual([again?.cursor, again?.feedVersion, again?.epoch !== undefined], ["", 0n, true]);
  assert.equal(client.list.getSnapshot().length, 35);
});

test("the next sync goes on from the last one and names what is in use", async () => {
  const { server, world } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  const version = server.feed("alice");
  server.cut();
  await world.pass(1_000);
  const sync = server.commands("sync").at(-1);
  assert.equal(sync?.feedVersion, version);
  assert.equal(sync?.epoch, server.epoch);
  assert.deepEqual(
    sync?.open.map(({ conversation, seq }) => ({ conversation, seq })),
    [{ conversation: TALK, seq: 1n }],
  );
});

test("at most 20 conversations are named, those used last", async () => {
  const { server, world } = await connected();
  for (let i = 0; i < 25; i++) server.append(`p/alice/u${i}`, `u${i}`, "hi");
  await world.settle();
  server.append("p/alice/u0", "u0", "again");
  await world.settle();
  server.cut();
  await world.pass(1_000);
  const named = server
    .commands("sync")
    .at(-1)
    ?.open.map(({ conversation }) => conversation);
  assert.equal(named?.length, 20);
  assert.ok(named.includes("p/alice/u0") && !named.includes("p/alice/u1"));
});

test("check: the client syncs and has what it was not pushed", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.pushing = false;
  server.append(TALK, "bob", "2");
  await world.settle();
  assert.deepEqual(texts(), ["1"]);
  server.push("alice", { case: "check", value: { $typeName: "anser.client.v1.CheckPush" } });
  await world.settle();
  assert.deepEqual(texts(), ["1", "2"]);
});

test("a pong with another feed version: the last push was lost, and is found", async () => {
  const { server, client, world } = await connected();
  server.pushing = false;
  server.append(TALK, "bob", "1");
  assert.equal(client.list.getSnapshot().length, 0);
  await world.pass(31_000);
  assert.equal(client.list.getSnapshot()[0]?.unread, 1);
});

test("a row whose predecessor is unknown: sync", async () => {
  const { server, client, world } = await connected();
  const before = server.commands("sync").length;
  server.pushing = false;
  server.append("p/alice/carol", "carol", "unseen");
  server.pushing = true;
  const talk = server.talk("g/team");
  server.join(talk, "alice");
  server.touch(talk, "alice");
  await world.settle();
  assert.equal(server.commands("sync").length, before + 1);
  assert.equal(client.list.getSnapshot().length, 2);
});

test("reset with the same epoch: the list is built anew, messages go on", async () => {
  const { server, client, world, texts, events } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.cut();
  server.append(TALK, "bob", "2");
  await world.pass(1_000);
  assert.deepEqual(texts(), ["1", "2"]);
  assert.equal(events("reset").length, 0);
  assert.equal(client.list.getSnapshot().length, 1);
});

test("reset with another epoch: positions are void, sequences may come again", async () => {
  const { server, client, world, texts, events } = await connected();
  for (let i = 1; i <= 5; i++) server.append(TALK, "bob", String(i));
  await world.settle();
  server.cut();
  server.epoch += 1n;
  server.talk(TALK).messages.length = 2; // a restored backup
  await world.pass(1_000);
  assert.deepEqual(events("reset"), [{ epochChanged: true }]);
  assert.equal(client.list.get(TALK)?.newest?.text, "2");
  server.append(TALK, "bob", "other 3");
  await world.settle();
  assert.equal(texts().at(-1), "other 3");
});

test("unread follows messages, reads here and reads elsewhere", async () => {
  const { server, client, world, events } = await connected();
  const other = observe(join(server, world, "alice", { deviceId: "tablet" }));
  void other.client.connect();
  await world.settle();
  const unread = (): number | undefined => client.list.get(TALK)?.unread;
  server.append(TALK, "bob", "1");
  server.append(TALK, "bob", "2");
  await world.settle();
  assert.equal(unread(), 2);
  const read = outcome(client.markRead(TALK, 1));
  await world.settle();
  assert.deepEqual(read.value, { conversation: TALK, readSeq: 1, unread: 1, unreadMentions: 0 });
  assert.equal(unread(), 1);
  assert.equal(other.client.list.get(TALK)?.unread, 1);
  void other.client.markRead(TALK, 2);
  await world.settle();
  assert.equal(unread(), 0);
  assert.equal(events("read").length, 2);
  void client.send(TALK, "mine");
  await world.settle();
  assert.deepEqual([unread(), other.client.list.get(TALK)?.unread], [0, 0]);
  server.cut();
  server.append(TALK, "bob", "4");
  await world.pass(1_000);
  assert.deepEqual([unread(), other.client.list.get(TALK)?.unread], [1, 1]);
});

test("groups: created, joined, left; the list tells", async () => {
  const { server, client, world, texts } = await connected();
  const bob = observe(join(server, world, "bob"));
  void bob.client.connect();
  await world.settle();
  const created = outcome(client.createGroup({ name: "Team", members: ["bob"], id: "team" }));
  await world.settle();
  assert.equal(created.value?.conversation, "g/team");
  assert.equal(bob.client.list.get("g/team")?.name, "Team");
  assert.deepEqual(bob.texts(), ["[created]"]);
  void bob.client.quitGroup("team");
  await world.settle();
  assert.equal(bob.client.list.get("g/team")?.member, false);
  void client.addGroupMembers("team", ["bob"]);
  void client.send("g/team", "welcome back");
  await world.settle();
  assert.equal(bob.texts().at(-1), "welcome back");
  const members = outcome(client.groupMembers("team"));
  await world.settle();
  assert.deepEqual(
    members.value?.members.map(({ userId, role }) => [userId, role]),
    [
      ["alice", "owner"],
      ["bob", "member"],
    ],
  );
  const refused = outcome(bob.client.dismissGroup("team"));
  await world.settle();
  assert.equal(refused.code, 3012);
  void client.dismissGroup("team");
  await world.settle();
  assert.equal(bob.client.list.get("g/team")?.member, false);
  assert.equal(texts().at(-1), "[dismissed]");
});

test("another user on the same client starts from nothing", async () => {
  let who = "alice";
  const { server, client, world } = await connected({ token: async () => who });
  server.append(TALK, "bob", "for alice");
  await world.settle();
  client.disconnect();
  who = "eve";
  server.judge = ({ command }) =>
    command.case === "hello" && command.value.token === "alice" ? { error: 2002 } : undefined;
  void client.connect();
  await world.pass(1_000);
  assert.equal(client.userId, "eve");
  assert.equal(client.list.getSnapshot().length, 0);
});

test("a message of a conversation beyond the first window brings its row", async () => {
  const { server, client, world } = setup();
  server.firstWindow = 2;
  for (let i = 0; i < 4; i++) server.append(`p/alice/u${i}`, `u${i}`, "hi");
  await world.pass(1_000);
  for (let i = 2; i < 4; i++) server.append(`p/alice/u${i}`, `u${i}`, "hi");
  const member = server.talk("p/alice/u0").members.get("alice");
  assert.ok(member);
  member.settings = { pinned: true };
  void client.connect();
  await world.settle();
  assert.equal(client.list.get("p/alice/u0"), undefined);
  server.append("p/alice/u0", "u0", "again");
  await world.settle();
  const row = client.list.get("p/alice/u0");
  assert.deepEqual([row?.pinned, row?.unread, row?.headSeq], [true, 2, 2]);
});
