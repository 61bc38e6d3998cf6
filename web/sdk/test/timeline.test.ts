import assert from "node:assert/strict";
import { test } from "node:test";

import type { Timeline } from "../src/timeline.js";
import { connected, join, observe, outcome } from "./setup.js";

const TALK = "p/alice/bob";

function shown(timeline: Timeline): string[] {
  const { messages, outgoing } = timeline.getSnapshot();
  return [
    ...messages.map(({ text }) => text ?? ""),
    ...outgoing.map((o) => `${o.text} (${o.state})`),
  ];
}

test("history, live messages and older pages are one stretch without holes", async () => {
  const { server, client, world } = await connected();
  for (let i = 1; i <= 120; i++) server.append(TALK, "bob", String(i));
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  assert.equal(timeline.getSnapshot().messages.length, 50);
  server.append(TALK, "bob", "121");
  await world.settle();
  for (const expected of [101, 121, 121]) {
    void timeline.loadOlder();
    void timeline.loadOlder();
    await world.settle();
    assert.equal(timeline.getSnapshot().messages.length, expected);
  }
  assert.deepEqual(
    shown(timeline),
    Array.from({ length: 121 }, (_, i) => String(i + 1)),
  );
  assert.equal(timeline.getSnapshot().hasOlder, false);
});

test("what arrives while the first page is on its way is not lost", async () => {
  const { server, client, world } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  let answer = false;
  server.judge = ({ command }) =>
    command.case === "pullMessages" && !answer ? { error: 1002, retryAfterMs: 1_000 } : undefined;
  const timeline = client.timeline(TALK);
  server.append(TALK, "bob", "2");
  await world.settle();
  assert.equal(timeline.getSnapshot().loading, true);
  answer = true;
  await world.pass(3_000);
  assert.deepEqual(shown(timeline), ["1", "2"]);
});

test("sending, sent, failed, again", async () => {
  const { server, client, world } = await connected();
  const timeline = client.timeline(TALK);
  await world.settle();
  timeline.send("hello");
  assert.deepEqual(shown(timeline), ["hello (sending)"]);
  await world.settle();
  assert.deepEqual(shown(timeline), ["hello"]);

  server.judge = ({ command }) => (command.case === "sendMessage" ? { error: 3012 } : undefined);
  timeline.send("no");
  timeline.send("never");
  await world.settle();
  assert.deepEqual(shown(timeline), ["hello", "no (failed)", "never (failed)"]);
  server.judge = () => undefined;
  const [first, second] = timeline.getSnapshot().outgoing;
  assert.equal(first?.error?.code, 3012);
  timeline.retry(first?.clientMessageId ?? "");
  timeline.discard(second?.clientMessageId ?? "");
  await world.settle();
  assert.deepEqual(shown(timeline), ["hello", "no"]);
  const ids = server.commands("sendMessage").map(({ clientMessageId }) => clientMessageId);
  assert.equal(ids[1], ids.at(-1), "the same id");
});

test("a private chat that does not exist yet is empty, not an error", async () => {
  const { server, client, world } = await connected();
  server.judge = ({ command }) => (command.case === "pullMessages" ? { error: 3011 } : undefined);
  const timeline = client.timeline(TALK);
  await world.settle();
  const { loaded, error, messages } = timeline.getSnapshot();
  assert.deepEqual([loaded, error, messages], [true, undefined, []]);
});

test("a page that failed is loaded after the next sync", async () => {
  const { server, client, world } = await connected();
  server.append(TALK, "bob", "1");
  server.reachable = false;
  server.cut();
  const timeline = client.timeline(TALK);
  await world.pass(21_000);
  assert.equal(timeline.getSnapshot().error?.code, 300);
  server.reachable = true;
  await world.pass(31_000);
  assert.deepEqual(shown(timeline), ["1"]);
});

test("after too long away the newest page is shown, not a stretch with a hole", async () => {
  const { server, client, world } = await connected();
  server.append(TALK, "bob", "first");
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  server.cut();
  for (let i = 1; i <= 1_300; i++) server.append(TALK, "bob", String(i));
  await world.pass(1_000);
  const { messages, hasOlder } = timeline.getSnapshot();
  assert.equal(messages.at(-1)?.text, "1300");
  assert.ok(hasOlder);
  messages.forEach((message, i) => assert.equal(message.seq, (messages[0]?.seq ?? 0) + i));
});

test("subscribers hear of changes, and a snapshot stays the same between", async () => {
  const { server, client, world } = await connected();
  const timeline = client.timeline(TALK);
  await world.settle();
  let calls = 0;
  const stop = timeline.subscribe(() => calls++);
  const before = timeline.getSnapshot();
  assert.equal(timeline.getSnapshot(), before);
  server.append(TALK, "bob", "1");
  await world.settle();
  assert.equal(calls, 1);
  assert.notEqual(timeline.getSnapshot(), before);
  stop();
  timeline.close();
  server.append(TALK, "bob", "2");
  await world.settle();
  assert.equal(calls, 1);
});

test("the list tells its subscribers once per round, and sorts by activity", async () => {
  const { server, client, world } = await connected();
  const bob = observe(join(server, world, "bob"));
  void bob.client.connect();
  await world.settle();
  let calls = 0;
  client.list.subscribe(() => calls++);
  void bob.client.send(TALK, "1");
  await world.pass(10);
  server.append("p/alice/carol", "carol", "2");
  await world.pass(10);
  assert.deepEqual(
    client.list.getSnapshot().map(({ id }) => id),
    ["p/alice/carol", TALK],
  );
  assert.ok(calls > 0);
  assert.equal(client.list.getSnapshot(), client.list.getSnapshot());
});

test("a listener may call the client", async () => {
  const { server, client, world, texts } = await connected();
  client.on("message", ({ conversation, sender, text }) => {
    if (sender !== "alice") void client.send(conversation, `echo ${text}`);
  });
  client.list.subscribe(() => client.retryNow());
  server.append(TALK, "bob", "1");
  server.append(TALK, "bob", "2");
  await world.settle();
  assert.deepEqual(texts(), ["1", "2", "echo 1", "echo 2"]);
});

test("a command is an event, and neither shown nor kept", async () => {
  const { server, client, world, events } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  const body = new TextEncoder().encode('{"action":"refresh"}');
  const content = { $typeName: "anser.client.v1.Content" as const, type: "command", body };
  server.append(TALK, "bob", body, { content, counted: false });
  await world.settle();
  assert.deepEqual(
    events("message").map(({ content: { type } }) => type),
    ["text", "command"],
  );
  assert.equal(timeline.getSnapshot().messages.length, 1);
  assert.deepEqual([client.list.get(TALK)?.unread, client.list.get(TALK)?.newest?.seq], [1, 1]);
  await timeline.reload();
  assert.equal(timeline.getSnapshot().messages.length, 1);
  assert.equal((await client.local.messages({ conversation: TALK })).length, 1);
});

test("what burns says so, on its way and when it is there", async () => {
  const { server, client, world } = await connected();
  const sent = outcome(client.send(TALK, "secret", { burnAfterSeconds: 5 }));
  await world.settle();
  assert.equal(server.commands("sendMessage")[0]?.burnAfterSeconds, 5);
  assert.equal(sent.value?.burnAfterSeconds, 5);
});
