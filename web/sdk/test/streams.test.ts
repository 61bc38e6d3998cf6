import assert from "node:assert/strict";
import { test } from "node:test";

import { NEW_WINDOW } from "../src/core.js";
import { CATCH_UP_MAX } from "../src/streams.js";
import { connected, outcome, setup } from "./setup.js";

const TALK = "p/alice/bob";

test("live messages are delivered in order, duplicates once", async () => {
  const { server, world, texts } = await connected();
  const first = server.append(TALK, "bob", "1");
  server.append(TALK, "bob", "2");
  server.pushMessage(first);
  await world.settle();
  assert.deepEqual(texts(), ["1", "2"]);
});

test("a lost push shows as a gap at the next one, and is pulled before it is delivered", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  server.pushing = false;
  server.append(TALK, "bob", "2");
  server.append(TALK, "bob", "3");
  server.pushing = true;
  server.append(TALK, "bob", "4");
  await world.settle();
  assert.deepEqual(texts(), ["1", "2", "3", "4"]);
  assert.equal(server.commands("pullMessages")[0]?.fromSeq, 1n);
});

test("pushes in any order are delivered in theirs", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  server.pushing = false;
  const rest = ["2", "3", "4"].map((text) => server.append(TALK, "bob", text));
  for (const message of rest.reverse()) server.pushMessage(message);
  await world.settle();
  assert.deepEqual(texts(), ["1", "2", "3", "4"]);
});

test("a gap wider than a page is pulled to its end, while messages arrive", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.pageMax = 10;
  server.pushing = false;
  for (let i = 2; i <= 55; i++) server.append(TALK, "bob", String(i));
  server.pushing = true;
  let more = 3;
  server.judge = ({ command }) => {
    if (command.case === "pullMessages" && more-- > 0) server.append(TALK, "bob", `late ${more}`);
    return undefined;
  };
  server.append(TALK, "bob", "56");
  await world.settle();
  assert.equal(texts().length, 59);
  const seqs = server
    .talk(TALK)
    .messages.map(({ content }) => new TextDecoder().decode(content?.body));
  assert.deepEqual(texts(), seqs);
});

test("holes made by messages for others are not gaps", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.pushing = false;
  server.append(TALK, "bob", "not for alice");
  const third = server.append(TALK, "bob", "3");
  server.push("alice", {
    case: "message",
    value: { $typeName: "anser.client.v1.MessagePush", message: third, prev: 1n },
  });
  await world.settle();
  assert.deepEqual(texts(), ["1", "3"]);
  assert.equal(server.commands("pullMessages").length, 0);
});

test("the first push of an unknown conversation does not pull its history", async () => {
  const { server, world, texts } = await connected();
  server.pushing = false;
  for (let i = 1; i <= 9; i++) server.append(TALK, "bob", String(i));
  server.pushing = true;
  server.append(TALK, "bob", "10");
  await world.settle();
  assert.equal(texts().at(-1), "10");
  assert.equal(server.commands("pullMessages").filter(({ fromSeq }) => fromSeq === 0n).length, 0);
});

test("an own message takes its place after what was missed before it", async () => {
  const { server, client, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  server.pushing = false;
  server.append(TALK, "bob", "2");
  const sent = outcome(client.send(TALK, "3"));
  await world.settle();
  assert.equal(sent.value?.seq, 3);
  assert.deepEqual(texts(), ["1", "2", "3"]);
});

test("an own message that is pushed as well is one event", async () => {
  const { server, client, world, texts } = await connected();
  const sent = outcome(client.send(TALK, "mine"));
  await world.settle();
  const [stored] = server.talk(TALK).messages;
  assert.ok(stored && sent.value);
  server.pushMessage(stored);
  await world.settle();
  assert.deepEqual(texts(), ["mine"]);
});

test("what was missed while away is delivered, in open and other conversations", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "b1");
  server.append("p/alice/carol", "carol", "c1");
  await world.settle();
  server.cut();
  for (let i = 2; i <= 140; i++) server.append(TALK, "bob", `b${i}`);
  server.append("p/alice/carol", "carol", "c2");
  server.append("p/alice/dave", "dave", "d1");
  server.append("p/alice/dave", "dave", "d2");
  await world.pass(1_000);
  assert.deepEqual(
    texts(TALK),
    Array.from({ length: 140 }, (_, i) => `b${i + 1}`),
  );
  assert.deepEqual(texts("p/alice/carol"), ["c1", "c2"]);
  assert.deepEqual(texts("p/alice/dave"), ["d1", "d2"], "a conversation that is new");
});

test("a conversation only listed so far is caught up with, too", async () => {
  const all = setup();
  const { server, client, world, texts } = all;
  server.append(TALK, "bob", "before");
  void client.connect();
  await world.settle();
  assert.deepEqual(texts(), [], "history is not replayed to a new device");
  server.cut();
  server.append(TALK, "bob", "missed");
  await world.pass(1_000);
  server.append(TALK, "bob", "live");
  await world.settle();
  assert.deepEqual(texts(), ["missed", "live"]);
});

test("far too much was missed: told by skipped, and live goes on", async () => {
  const { server, world, texts, events } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.cut();
  const many = CATCH_UP_MAX + 500;
  for (let i = 0; i < many; i++) server.append(TALK, "bob", "x");
  await world.pass(1_000);
  server.append(TALK, "bob", "live");
  await world.settle();
  const [skipped] = events("skipped");
  assert.equal(skipped?.reason, "limit");
  assert.equal(skipped?.toSeq, many + 1);
  assert.equal(texts().length - 1 + (skipped.toSeq - skipped.fromSeq + 1), many + 1);
  assert.equal(texts().at(-1), "live");
});

test("what the server no longer has is told, not passed over", async () => {
  const { server, world, texts, events } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.cut();
  for (let i = 2; i <= 9; i++) server.append(TALK, "bob", String(i));
  const member = server.talk(TALK).members.get("alice");
  assert.ok(member);
  member.first = 6;
  await world.pass(1_000);
  assert.deepEqual(texts(), ["1", "6", "7", "8", "9"]);
  assert.deepEqual(events("skipped"), [
    { conversation: TALK, fromSeq: 2, toSeq: 5, reason: "retention" },
  ]);
});

test("a pull that is refused for the moment is tried again", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  let refuse = 2;
  server.judge = ({ command }) =>
    command.case === "pullMessages" && refuse-- > 0 ? { error: 1001 } : undefined;
  server.pushing = false;
  server.append(TALK, "bob", "2");
  server.pushing = true;
  server.append(TALK, "bob", "3");
  await world.pass(5_000);
  assert.deepEqual(texts(), ["1", "2", "3"]);
});

test("a pull that never succeeds leads to a new connection, not to a hole", async () => {
  const { server, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.judge = ({ command }) => (command.case === "pullMessages" ? { error: 1001 } : undefined);
  server.pushing = false;
  server.append(TALK, "bob", "2");
  server.pushing = true;
  server.append(TALK, "bob", "3");
  await world.pass(60_000);
  server.append(TALK, "bob", "4");
  await world.pass(1_000);
  assert.ok(server.opened > 1);
  assert.deepEqual(texts(), ["1", "2", "3", "4"], "by sync, which names the conversation");
});

test("a new conversation goes on while the sync is on its way: nothing before it is passed over", async () => {
  const { server, client, world, texts } = await connected();
  server.cut();
  server.append(TALK, "bob", "1");
  server.append(TALK, "bob", "2");
  server.append("p/alice/carol", "alice", "from my other device");
  server.judge = ({ command }) => {
    // Pushed between the connection and the answer to the sync.
    if (command.case === "sync") server.append(TALK, "bob", "3");
    server.judge = command.case === "sync" ? () => undefined : server.judge;
    return undefined;
  };
  await world.pass(1_000);
  assert.deepEqual(texts(TALK), ["1", "2", "3"]);
  assert.deepEqual(texts("p/alice/carol"), ["from my other device"]);
  assert.equal(client.list.get(TALK)?.unread, 3);
});

test("a conversation that appears by a push begins at its newest window", async () => {
  const { server, client, world, texts, events } = await connected();
  server.pushing = false;
  const talk = server.talk("g/old");
  server.join(talk, "carol");
  for (let i = 1; i <= 300; i++) server.append("g/old", "carol", String(i));
  server.join(talk, "alice");
  Object.assign(talk.members.get("alice") ?? {}, { first: 1, readSeq: 0 });
  server.pushing = true;
  server.touch(talk, "alice");
  server.append("g/old", "carol", "live");
  await world.settle();
  assert.equal(client.list.get("g/old")?.unread, 301);
  assert.equal(texts("g/old").length, NEW_WINDOW + 1);
  assert.equal(texts("g/old").at(-1), "live");
  assert.deepEqual(events("skipped"), [
    { conversation: "g/old", fromSeq: 1, toSeq: 300 - NEW_WINDOW, reason: "limit" },
  ]);
});

test("pages that are all for others are passed over, not skipped", async () => {
  const { server, world, texts, events } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.pushing = false;
  for (let i = 2; i <= 9; i++) server.append(TALK, "bob", "not for alice", { targets: ["bob"] });
  server.pushing = true;
  server.pageMax = 2;
  server.scanned = true;
  server.append(TALK, "bob", "10");
  // What is told of is further on than what is known, so the client pulls.
  server.cut();
  await world.pass(1_000);
  assert.deepEqual(texts(), ["1", "10"]);
  assert.deepEqual(events("skipped"), []);
});
