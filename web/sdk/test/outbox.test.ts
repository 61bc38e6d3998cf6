import assert from "node:assert/strict";
import { test } from "node:test";

import { JOBS_MAX, LANE_IN_FLIGHT_MAX } from "../src/outbox.js";
import { connected, outcome, setup } from "./setup.js";

const TALK = "p/alice/bob";

test("a send resolves with what was stored, and is an event once", async () => {
  const { client, world, texts } = await connected();
  const sent = outcome(client.send(TALK, "hi"));
  await world.settle();
  assert.equal(sent.value?.seq, 1);
  assert.equal(sent.value?.sender, "alice");
  assert.deepEqual(texts(), ["hi"]);
});

test("never connected: 510 at once", async () => {
  const { client, world } = setup();
  const sent = outcome(client.send(TALK, "hi"));
  await world.settle();
  assert.equal(sent.code, 510);
});

test("after disconnect: 510, also for what was waiting", async () => {
  const { server, client, world } = await connected();
  server.reachable = false;
  server.cut();
  const waiting = outcome(client.send(TALK, "a"));
  client.disconnect();
  const after = outcome(client.send(TALK, "b"));
  await world.settle();
  assert.deepEqual([waiting.code, after.code], [510, 510]);
});

test("while reconnecting sends wait, as long as it takes, and go out in order", async () => {
  const { server, client, world, texts } = await connected();
  server.reachable = false;
  server.cut();
  const sent = ["a", "b", "c"].map((text) => outcome(client.send(TALK, text)));
  await world.pass(600_000);
  assert.ok(sent.every(({ value, code }) => !value && !code));
  server.reachable = true;
  await world.pass(31_000);
  assert.deepEqual(
    sent.map(({ value }) => value?.seq),
    [1, 2, 3],
  );
  assert.deepEqual(texts(), ["a", "b", "c"]);
});

test("no answer in 10 s: another connection, the same id once more", async () => {
  const { server, client, world, texts } = await connected();
  let drop = 1;
  server.judge = ({ command }) =>
    command.case === "sendMessage" && drop-- > 0 ? { drop: true } : undefined;
  const sent = outcome(client.send(TALK, "hi"));
  await world.pass(9_900);
  assert.equal(server.opened, 1);
  await world.pass(1_000);
  assert.equal(server.opened, 2);
  assert.equal(sent.value?.seq, 1);
  const ids = server.commands("sendMessage").map(({ clientMessageId }) => clientMessageId);
  assert.equal(ids.length, 2);
  assert.equal(ids[0], ids[1]);
  const times = server.commands("sendMessage").map(({ firstTryTime }) => firstTryTime);
  assert.equal(times[0], times[1], "the time of the first try stays");
  assert.deepEqual(texts(), ["hi"]);
});

test("no answer twice: SERVER_NOT_REACHABLE after 20 s, and nothing is sent a third time", async () => {
  const { server, client, world } = await connected();
  server.judge = ({ command }) => (command.case === "sendMessage" ? { drop: true } : undefined);
  const sent = outcome(client.send(TALK, "hi"));
  await world.pass(19_900);
  assert.equal(sent.code, undefined);
  await world.pass(200);
  assert.equal(sent.code, 300);
  await world.pass(100_000);
  assert.equal(server.commands("sendMessage").length, 2);
});

test("the acknowledgement is lost with the connection: stored once, resolved", async () => {
  const { server, client, world, texts } = await connected();
  server.talking = false;
  const sent = outcome(client.send(TALK, "hi"));
  await world.settle();
  server.talking = true;
  server.cut();
  await world.pass(1_000);
  assert.equal(sent.value?.seq, 1);
  assert.equal(server.talk(TALK).messages.length, 1);
  assert.deepEqual(texts(), ["hi"]);
});

test("two connections lost under it: SERVER_NOT_REACHABLE", async () => {
  const { server, client, world } = await connected();
  server.judge = ({ command }) => {
    if (command.case === "sendMessage") setImmediate(() => server.cut());
    return command.case === "sendMessage" ? { drop: true } : undefined;
  };
  const sent = outcome(client.send(TALK, "hi"));
  await world.pass(2_000);
  assert.equal(sent.code, 300);
  assert.equal(server.commands("sendMessage").length, 2);
});

test("sent, then no connection at all: SERVER_NOT_REACHABLE after 20 s", async () => {
  const { server, client, world } = await connected();
  server.judge = () => ({ drop: true });
  const sent = outcome(client.send(TALK, "hi"));
  await world.settle();
  server.reachable = false;
  server.cut();
  await world.pass(20_100);
  assert.equal(sent.code, 300);
});

test("1xxx: retried with the same id, not before the time told", async () => {
  const { server, client, world } = await connected();
  let refuse = 2;
  server.judge = ({ command }) =>
    command.case === "sendMessage" && refuse-- > 0
      ? { error: 1003, retryAfterMs: 2_000 }
      : undefined;
  const sent = outcome(client.send(TALK, "hi"));
  await world.pass(1_900);
  assert.equal(server.commands("sendMessage").length, 1);
  await world.pass(4_000);
  assert.equal(sent.value?.seq, 1);
  assert.equal(new Set(server.commands("sendMessage").map((send) => send.clientMessageId)).size, 1);
  assert.equal(server.opened, 1, "an answer, even a refusal, shows a living connection");
});

test("1xxx for ever: fails with the refusal when the time is over", async () => {
  const { server, client, world } = await connected();
  server.judge = ({ command }) => (command.case === "sendMessage" ? { error: 1001 } : undefined);
  const sent = outcome(client.send(TALK, "hi"));
  await world.pass(21_000);
  assert.equal(sent.code, 1001);
});

test("a retry is not overtaken by what was sent after it", async () => {
  const { server, client, world, texts } = await connected();
  let refuse = 1;
  server.judge = ({ command }) =>
    command.case === "sendMessage" && refuse-- > 0 ? { error: 1002 } : undefined;
  for (const text of ["a", "b", "c"]) void client.send(TALK, text);
  void client.send("p/alice/carol", "elsewhere");
  await world.settle();
  assert.deepEqual(texts(), ["elsewhere"]);
  await world.pass(1_000);
  assert.deepEqual(texts(TALK), ["a", "b", "c"]);
});

test("3xxx: fails at once, what follows goes on", async () => {
  const { server, client, world } = await connected();
  let refuse = 1;
  server.judge = ({ command }) =>
    command.case === "sendMessage" && refuse-- > 0 ? { error: 3003 } : undefined;
  const sent = ["too large", "fine"].map((text) => outcome(client.send(TALK, text)));
  await world.settle();
  assert.equal(sent[0]?.code, 3003);
  assert.equal(sent[1]?.value?.seq, 1);
});

test("2xxx in an answer: a new token, a new connection, the same message", async () => {
  const { server, client, world } = await connected({ token: async () => "alice" });
  let refuse = 1;
  server.judge = ({ command }) =>
    command.case === "sendMessage" && refuse-- > 0 ? { error: 2001 } : undefined;
  const sent = outcome(client.send(TALK, "hi"));
  await world.pass(1_000);
  // This provider only has the refused token.
  assert.equal(client.state.state, "closed");
  assert.equal(sent.code, 510);
});

test("the queue is bounded", async () => {
  const { server, client, world } = await connected();
  server.reachable = false;
  server.cut();
  const sent = Array.from({ length: JOBS_MAX + 1 }, (_, i) =>
    outcome(client.send(TALK, String(i))),
  );
  await world.settle();
  assert.equal(sent.at(-1)?.code, 1002);
  assert.equal(sent.at(-2)?.code, undefined);
  const last = client.outgoing.of(TALK).at(-1);
  const shown = [last?.text, last?.state, last?.error?.code];
  assert.deepEqual(shown, [String(JOBS_MAX), "failed", 1002], "what was written is not lost");
  server.reachable = true;
  await world.pass(31_000);
  const again = outcome(client.resend(TALK, last?.clientMessageId ?? ""));
  for (let i = 0; i < 100 && !again.value; i++) await world.settle();
  assert.equal(again.value?.text, String(JOBS_MAX));
});

test("what waits goes out in frames of at most 64 requests", async () => {
  const { server, client, world } = await connected();
  server.reachable = false;
  server.cut();
  for (let i = 0; i < 100; i++) void client.send(`p/alice/u${i}`, "x");
  server.reachable = true;
  await world.pass(1_000);
  assert.equal(server.commands("sendMessage").length, 100);
  assert.ok(server.frames.some((frame) => frame.length === 64));
  assert.ok(server.frames.every((frame) => frame.length <= 64));
});

test("a question is asked again after a loss; an action is not", async () => {
  const { server, client, world } = await connected();
  let drop = 2;
  server.judge = ({ command }) =>
    command.case !== "hello" && command.case !== "sync" && drop-- > 0 ? { drop: true } : undefined;
  const page = outcome(client.conversations());
  const created = outcome(client.createGroup({ name: "g" }));
  await world.settle();
  server.cut();
  await world.pass(1_000);
  assert.deepEqual(page.value, { conversations: [], cursor: "" });
  assert.equal(created.code, 300);
});

test("a question without a connection fails in time", async () => {
  const { server, client, world } = await connected();
  server.reachable = false;
  server.cut();
  const page = outcome(client.history(TALK));
  await world.pass(20_100);
  assert.equal(page.code, 300);
});

test("a conversation that goes well has several messages in flight, in order", async () => {
  const { server, client, world, texts } = await connected();
  void client.send(TALK, "0");
  await world.settle();
  server.judge = ({ command }) => (command.case === "sendMessage" ? { drop: true } : undefined);
  for (let i = 1; i <= 40; i++) void client.send(TALK, String(i));
  await world.settle();
  assert.equal(server.commands("sendMessage").length, 1 + LANE_IN_FLIGHT_MAX);
  server.judge = () => undefined;
  server.cut();
  await world.pass(1_000);
  assert.deepEqual(
    texts(TALK),
    Array.from({ length: 41 }, (_, i) => String(i)),
    "lost in flight, and sent again in order",
  );
  assert.equal(server.talk(TALK).messages.length, 41);
});

test("a refusal for now narrows its conversation to one message at a time", async () => {
  const { server, client, world, texts } = await connected();
  void client.send(TALK, "0");
  await world.settle();
  server.judge = ({ command }) => (command.case === "sendMessage" ? { error: 1003 } : undefined);
  for (let i = 1; i <= 5; i++) void client.send(TALK, String(i));
  await world.settle();
  const before = server.commands("sendMessage").length;
  await world.pass(1_500);
  const again = server.commands("sendMessage").slice(before);
  assert.ok(again.length > 0);
  const [first] = server.commands("sendMessage").slice(1);
  assert.ok(again.every((one) => one.clientMessageId === first?.clientMessageId));
  server.judge = () => undefined;
  await world.pass(10_000);
  assert.deepEqual(texts(TALK), ["0", "1", "2", "3", "4", "5"]);
});
