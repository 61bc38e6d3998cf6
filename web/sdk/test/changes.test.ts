import assert from "node:assert/strict";
import { test } from "node:test";

import { PAGES_MAX } from "../src/versions.js";
import type { Timeline } from "../src/timeline.js";
import { change, recall } from "./mini-changes.js";
import type { MiniServer } from "./mini-server.js";
import { connected, join, observe, outcome } from "./setup.js";

const TALK = "p/alice/bob";

/** What a timeline shows: texts, and what became of the messages. */
function shown(timeline: Timeline): string[] {
  return timeline.getSnapshot().messages.map(({ text, state }) => {
    if (state?.recall) return "(recalled)";
    const reactions = (state?.reactions ?? []).map(
      ({ reaction, users }) => reaction + users.length,
    );
    return [text, state?.edit && "(edited)", ...reactions].filter(Boolean).join(" ");
  });
}

function react(server: MiniServer, seq: number, reaction: string): void {
  const talk = server.talk(TALK);
  const message = talk.messages[seq - 1];
  assert.ok(message);
  change(server, talk, message, (state) => {
    state.reactions = [{ $typeName: "anser.client.v1.Reaction", reaction, users: ["bob"] }];
  });
}

test("a change is an event and is in the timeline, for those who have the message", async () => {
  const { server, client, world, events } = await connected();
  server.append(TALK, "bob", "1");
  server.append(TALK, "bob", "2");
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  react(server, 1, "👍");
  recall(server, TALK, 2);
  await world.settle();
  assert.deepEqual(shown(timeline), ["1 👍1", "(recalled)"]);
  assert.deepEqual(
    events("changed").map(({ seq, state }) => [seq, state?.rev]),
    [
      [1, 1],
      [2, 2],
    ],
  );
  assert.equal(server.commands("pullChanges").length, 0);
  assert.deepEqual([client.list.get(TALK)?.unread, client.list.get(TALK)?.rev], [1, 2]);
  assert.ok(client.list.get(TALK)?.newest?.state?.recall);
});

test("a change that was not pushed is found with the next one, and each comes once", async () => {
  const { server, client, world, events } = await connected();
  for (const text of ["1", "2", "3"]) server.append(TALK, "bob", text);
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  server.pushing = false;
  react(server, 1, "👍");
  react(server, 3, "🎉");
  server.pushing = true;
  recall(server, TALK, 2);
  await world.settle();
  assert.deepEqual(shown(timeline), ["1 👍1", "(recalled)", "3 🎉1"]);
  assert.deepEqual(
    events("changed").map(({ seq }) => seq),
    [1, 3, 2],
  );
});

test("away: hundreds of changes of one message are one; the list is right", async () => {
  const { server, client, world, events } = await connected();
  for (const text of ["1", "2", "3"]) server.append(TALK, "bob", text);
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  server.cut();
  for (let i = 0; i < 300; i++) react(server, 1, `r${i}`);
  recall(server, TALK, 3);
  await world.pass(1_000);
  assert.deepEqual(shown(timeline), ["1 r2991", "2", "(recalled)"]);
  assert.deepEqual(
    events("changed").map(({ seq }) => seq),
    [1, 3],
  );
  assert.equal(client.list.get(TALK)?.unread, 2);
  server.cut();
  await world.pass(2_000);
  assert.equal(events("changed").length, 2, "nothing comes twice");
});

test("away, in a conversation whose first message came before its row", async () => {
  const { server, world, events } = await connected();
  server.pushing = false;
  const message = server.append(TALK, "bob", "1");
  server.pushing = true;
  server.pushMessage(message);
  await world.settle();
  server.touch(server.talk(TALK), "alice");
  await world.settle();
  server.cut();
  recall(server, TALK, 1);
  await world.pass(1_000);
  assert.deepEqual(
    events("changed").map(({ seq }) => seq),
    [1],
  );
});

test("changes come in pages; far too many: the timeline is loaded anew", async () => {
  const { server, client, world, events } = await connected();
  for (let i = 1; i <= 60; i++) server.append(TALK, "bob", String(i));
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  server.pageMax = 2;
  server.cut();
  for (let seq = 1; seq <= PAGES_MAX * 2; seq++) react(server, seq, "x");
  await world.pass(1_000);
  assert.equal(events("changed").length, PAGES_MAX * 2);
  assert.equal(events("outdated").length, 0);
  server.cut();
  for (let seq = 1; seq <= PAGES_MAX * 2 + 2; seq++) react(server, seq, "y");
  await world.pass(2_000);
  assert.deepEqual(events("outdated"), [{ conversation: TALK }]);
  assert.deepEqual(shown(timeline).slice(-2), ["59", "60"], "the newest page");
});

test("a recalled message is not shown though its push was held back by a gap", async () => {
  const { server, world, events } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.pushing = false;
  server.append(TALK, "bob", "2");
  server.pushing = true;
  let answer = false;
  server.judge = ({ command }) =>
    command.case === "pullMessages" && !answer ? { error: 1002, retryAfterMs: 500 } : undefined;
  server.append(TALK, "bob", "secret");
  recall(server, TALK, 3);
  await world.settle();
  answer = true;
  await world.pass(2_000);
  const delivered = events("message").map(({ text, state }) => (state?.recall ? "-" : text));
  assert.deepEqual(delivered, ["1", "2", "-"]);
});

test("own changes: recall, edit, expansion, reaction; the answer is the state", async () => {
  const { server, client, world, events } = await connected();
  const bob = observe(join(server, world, "bob"));
  void bob.client.connect();
  await world.settle();
  for (const text of ["1", "2", "3"]) void client.send(TALK, text);
  await world.settle();
  const timelines = [client, bob.client].map((one) => one.timeline(TALK));
  await world.settle();
  const edited = outcome(client.edit(TALK, 1, "one", { users: ["bob"] }));
  const recalled = outcome(client.recall(TALK, 2));
  void client.react(TALK, 3, "👍");
  void bob.client.react(TALK, 3, "👍");
  const put = outcome(client.updateExpansion(TALK, 3, { put: { a: "1", b: "2" } }));
  await world.settle();
  assert.equal(edited.value?.edit?.count, 1);
  assert.equal(recalled.value?.recall?.operator, "alice");
  assert.deepEqual(
    put.value?.expansion.map(({ key, value, user }) => [key, value, user]),
    [
      ["a", "1", "alice"],
      ["b", "2", "alice"],
    ],
  );
  void client.updateExpansion(TALK, 3, { remove: ["a"] });
  void bob.client.react(TALK, 3, "👍", { remove: true });
  await world.settle();
  for (const timeline of timelines) {
    assert.deepEqual(shown(timeline), ["one (edited)", "(recalled)", "3 👍1"]);
  }
  assert.equal(events("changed").at(-1)?.state?.expansion.length, 1);
  assert.deepEqual(
    [bob.client.list.get(TALK)?.unread, bob.client.list.get(TALK)?.unreadMentions],
    [2, 1],
    "one was taken back, and the edit mentions bob",
  );
});

test("a change of an old message whose mention is unknown: the server counts", async () => {
  const { server, client, world } = await connected();
  server.pushing = false;
  const mention = { $typeName: "anser.client.v1.Mention", users: ["alice"] } as const;
  const talk = server.talk(TALK);
  server.append(TALK, "bob", "hi", {
    mention: { ...mention, all: false, overridesMute: false, users: ["alice"] },
  });
  server.append(TALK, "bob", "ho");
  server.touch(talk, "alice");
  server.pushing = true;
  server.cut();
  await world.pass(1_000);
  assert.equal(client.list.get(TALK)?.unreadMentions, 1);
  recall(server, TALK, 1);
  await world.settle();
  assert.deepEqual([client.list.get(TALK)?.unread, client.list.get(TALK)?.unreadMentions], [1, 0]);
});

test("mentions that are more than one answer has are left at what is known", async () => {
  const { server, client, world } = await connected();
  server.pushing = false;
  const talk = server.talk(TALK);
  const mention = { $typeName: "anser.client.v1.Mention" as const, all: true, users: [] };
  for (let i = 0; i < 120; i++) {
    server.append(TALK, "bob", "hi", { mention: { ...mention, overridesMute: false } });
  }
  server.touch(talk, "alice");
  server.pushing = true;
  server.cut();
  await world.pass(1_000);
  assert.equal(client.list.get(TALK)?.unreadMentions, 120);
  recall(server, TALK, 1);
  await world.settle();
  assert.equal(server.commands("listMentions").length, 1);
  assert.equal(client.list.get(TALK)?.unreadMentions, 120);
});

test("targeted messages: seen by their targets, no gap for the others", async () => {
  const { server, client, world, texts } = await connected();
  const [bob, carol] = ["bob", "carol"].map((user) => observe(join(server, world, user)));
  assert.ok(bob && carol);
  for (const one of [bob, carol]) void one.client.connect();
  await world.settle();
  void client.createGroup({ name: "g", id: "g", members: ["bob", "carol"] });
  await world.settle();
  void client.send("g/g", "to all");
  void client.send("g/g", "to bob", { targets: ["bob"] });
  void client.send("g/g", "to all again", { mention: { all: true } });
  await world.settle();
  const all = ["[created]", "to all", "to bob", "to all again"];
  assert.deepEqual([texts(), bob.texts()], [all, all]);
  assert.deepEqual(carol.texts(), ["[created]", "to all", "to all again"]);
  assert.equal(server.commands("pullMessages").length, 0);
  assert.equal(carol.client.list.get("g/g")?.unreadMentions, 1);
});

test("transient messages: an event without a sequence, nothing else", async () => {
  const { server, client, world, texts, events } = await connected();
  const bob = observe(join(server, world, "bob"));
  void bob.client.connect();
  server.append(TALK, "bob", "1");
  await world.settle();
  const sent = outcome(bob.client.sendTransient(TALK, { type: "app.typing", body: "" }));
  await world.settle();
  assert.ok("value" in sent);
  assert.deepEqual(
    events("transient").map(({ sender, content }) => [sender, content.type]),
    [["bob", "app.typing"]],
  );
  assert.deepEqual(texts(), ["1"]);
  assert.equal(client.list.get(TALK)?.unread, 1);
  assert.deepEqual(bob.client.outgoing.of(TALK), []);
});

test("deleted for oneself: here, on the other device, and on one that was away", async () => {
  const { server, client, world, events } = await connected();
  const tablet = observe(join(server, world, "alice", { deviceId: "tablet" }));
  void tablet.client.connect();
  for (const text of ["1", "2", "3", "4"]) server.append(TALK, "bob", text);
  await world.settle();
  const timelines = [client, tablet.client].map((one) => one.timeline(TALK));
  await world.settle();
  void client.deleteMessages(TALK, [2]);
  await world.settle();
  for (const timeline of timelines) assert.deepEqual(shown(timeline), ["1", "3", "4"]);
  assert.deepEqual(
    events("deleted").map(({ seqs }) => seqs),
    [[2]],
    "once, on the device that did it as well",
  );
  assert.equal(tablet.client.list.get(TALK)?.unread, 3);
  tablet.client.disconnect();
  void client.deleteMessages(TALK, [1, 4]);
  await world.settle();
  void tablet.client.connect();
  await world.settle();
  assert.deepEqual(tablet.events("deleted").at(-1), { conversation: TALK, seqs: [1, 4] });
  for (const timeline of timelines) assert.deepEqual(shown(timeline), ["3"]);
});

test("clear history: the timeline begins later", async () => {
  const { server, client, world } = await connected();
  for (const text of ["1", "2", "3"]) server.append(TALK, "bob", text);
  await world.settle();
  const timeline = client.timeline(TALK);
  await world.settle();
  void client.clearHistory(TALK, 2);
  await world.settle();
  assert.deepEqual(shown(timeline), ["3"]);
  assert.equal(timeline.getSnapshot().hasOlder, false);
});

test("clear history: what was on its way does not come back", async () => {
  const { server, client, world, texts } = await connected();
  server.append(TALK, "bob", "1");
  await world.settle();
  server.pushing = false;
  const late = server.append(TALK, "bob", "2");
  void client.clearHistory(TALK, 0);
  await world.settle();
  server.pushing = true;
  server.pushMessage(late);
  server.append(TALK, "bob", "3");
  await world.settle();
  assert.deepEqual(texts(), ["1", "3"]);
  const row = client.list.get(TALK);
  assert.deepEqual([row?.unread, row?.newest?.seq], [1, 3]);
  const timeline = client.timeline(TALK);
  await world.settle();
  assert.deepEqual(shown(timeline), ["3"]);
});

test("settings: the answer, the list, the other device", async () => {
  const { server, client, world } = await connected();
  const tablet = observe(join(server, world, "alice", { deviceId: "tablet" }));
  void tablet.client.connect();
  server.append(TALK, "bob", "1");
  server.append("p/alice/carol", "carol", "2");
  await world.settle();
  const updated = outcome(
    client.updateConversation(TALK, { pinned: true, muted: "except-mentions", marks: ["a"] }),
  );
  await world.settle();
  assert.deepEqual(
    [updated.value?.pinned, updated.value?.muted, updated.value?.marks],
    [true, "except-mentions", ["a"]],
  );
  for (const one of [client, tablet.client]) {
    const [first] = one.list.getSnapshot();
    assert.deepEqual([first?.id, first?.pinned, first?.marks], [TALK, true, ["a"]]);
  }
  void client.deleteConversation(TALK);
  await world.settle();
  for (const one of [client, tablet.client]) assert.equal(one.list.getSnapshot().length, 1);
  server.append(TALK, "bob", "back");
  await world.settle();
  for (const one of [client, tablet.client]) assert.equal(one.list.getSnapshot().length, 2);
});

test("receipts: delivered and read reach the other side; readers and positions can be asked for", async () => {
  const { server, client, world, events } = await connected();
  const bob = observe(join(server, world, "bob"));
  void bob.client.connect();
  await world.settle();
  void client.send(TALK, "1");
  await world.settle();
  void bob.client.markDelivered(TALK, 1);
  void bob.client.markRead(TALK, 1);
  await world.settle();
  assert.deepEqual(
    events("receipts").map(({ receipts }) => receipts),
    [
      [{ user: "bob", deliveredSeq: 1, readSeq: 0 }],
      [{ user: "bob", deliveredSeq: 1, readSeq: 1 }],
    ],
  );
  const readers = outcome(client.readers(TALK, 1));
  const page = outcome(client.receipts(TALK));
  await world.settle();
  assert.deepEqual(readers.value, { users: ["bob"], cursor: "", count: 1, of: 1 });
  assert.deepEqual(page.value?.receipts.find(({ user }) => user === "bob")?.readSeq, 1);
  assert.deepEqual([page.value?.more, page.value?.version], [false, 1]);
});

test("what one deleted does not come back when it is changed", async () => {
  const { server, client, world } = await connected();
  for (const text of ["1", "2"]) server.append(TALK, "bob", text);
  await world.settle();
  void client.deleteMessages(TALK, [2]);
  await world.settle();
  recall(server, TALK, 2);
  await world.settle();
  const kept = await client.local.messages({ conversation: TALK });
  assert.deepEqual(
    kept.map(({ seq }) => seq),
    [1],
  );
  const timeline = client.timeline(TALK);
  await world.settle();
  assert.deepEqual(shown(timeline), ["1"]);
});
