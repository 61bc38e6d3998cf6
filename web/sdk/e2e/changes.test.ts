/** Changes of messages, receipts and one's own view against the built server, with devices away. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { AnserError, privateWith } from "../src/index.js";
import { peer, until } from "./peers.js";
import { Server } from "./server.js";

let server: Server;

before(async () => {
  server = await Server.start();
});

after(() => server.remove());

const codeIs = (code: number) => (error: unknown) =>
  error instanceof AnserError && error.code === code;

test("recall, edit, expansion and reactions reach who is there and who was away", async () => {
  const [ann, ben] = await Promise.all([peer(server, "ann"), peer(server, "ben")]);
  const talk = privateWith("ann", "ben");
  for (const text of ["1", "2", "3"]) await ann.client.send(talk, text);
  await until("ben has all", () => ben.messages.length === 3);
  const edited = await ann.client.edit(talk, 1, "one", { users: ["ben"] });
  assert.deepEqual([edited.edit?.operator, edited.edit?.count], ["ann", 1]);
  await ben.client.react(talk, 2, "👍");
  await until("ann sees it", async () => {
    const [message] = await ann.client.local.messages({ conversation: talk, after: 1, before: 3 });
    return message?.state?.reactions[0]?.users[0] === "ben";
  });
  ben.client.disconnect();
  for (let i = 0; i < 20; i++) await ann.client.updateExpansion(talk, 2, { put: { n: `${i}` } });
  await ann.client.recall(talk, 3);
  const changed: number[] = [];
  ben.client.on("changed", ({ seq }) => changed.push(seq));
  await ben.client.connect();
  await until("ben sees both", () => changed.length >= 2);
  assert.deepEqual(changed, [2, 3]);
  const stored = await ben.client.local.messages({ conversation: talk });
  assert.deepEqual(
    stored.map(({ text, state }) => (state?.recall ? "(recalled)" : text)),
    ["one", "2", "(recalled)"],
  );
  assert.equal(stored[1]?.state?.expansion[0]?.value, "19");
  const row = () => ben.client.list.get(talk);
  await until("unread", () => row()?.unread === 2 && row()?.unreadMentions === 1);
  await assert.rejects(ben.client.recall(talk, 1), AnserError);
  await assert.rejects(ann.client.edit(talk, 3, "x"), AnserError);
  for (const { client } of [ann, ben]) client.close();
});

test("settings, clearing and deleting reach the other device, also one that was away", async () => {
  await server.token("dee");
  const phone = await peer(server, "cid", { device: "phone", platform: "android" });
  const desk = await peer(server, "cid", { device: "desk", platform: "desktop" });
  const dee = await peer(server, "dee");
  const talk = privateWith("cid", "dee");
  for (const text of ["1", "2", "3", "4"]) await dee.client.send(talk, text);
  await until("both have all", () => phone.messages.length === 4 && desk.messages.length === 4);
  const settings = { pinned: true, muted: "all", marks: ["work"], draft: "dear dee" } as const;
  const row = await phone.client.updateConversation(talk, settings);
  assert.deepEqual(
    [row.pinned, row.muted, row.marks, row.draft],
    [true, "all", ["work"], "dear dee"],
  );
  await until("the desk knows", () => desk.client.list.get(talk)?.draft === "dear dee");
  const deleted: number[] = [];
  desk.client.on("deleted", ({ seqs }) => deleted.push(...seqs));
  await phone.client.deleteMessages(talk, [3]);
  await until("deleted on the desk", () => deleted.length === 1);
  desk.client.disconnect();
  await phone.client.deleteMessages(talk, [4]);
  await phone.client.clearHistory(talk, 1);
  await desk.client.connect();
  await until("deleted while away", () => deleted.length === 2);
  await until("cleared while away", () => desk.client.list.get(talk)?.firstSeq === 2);
  for (const { client } of [phone, desk]) {
    const { messages } = await client.history(talk);
    assert.deepEqual(
      messages.map(({ text }) => text),
      ["2"],
    );
    await until("unread", () => client.list.get(talk)?.unread === 1);
  }
  await phone.client.deleteConversation(talk);
  await until("hidden", () => desk.client.list.getSnapshot().length === 0);
  await dee.client.send(talk, "back");
  await until("shown", () => desk.client.list.getSnapshot().length === 1);
  for (const { client } of [phone, desk, dee]) client.close();
});

test("delivered, read, by whom", async () => {
  const [eva, fay] = await Promise.all([peer(server, "eva"), peer(server, "fay")]);
  const talk = privateWith("eva", "fay");
  let [delivered, read] = [0, 0];
  eva.client.on("receipts", ({ receipts }) => {
    for (const one of receipts) {
      delivered = Math.max(delivered, one.deliveredSeq);
      read = Math.max(read, one.readSeq);
    }
  });
  for (const text of ["1", "2"]) await eva.client.send(talk, text);
  await until("fay has both", () => fay.messages.length === 2);
  await fay.client.markDelivered(talk, 2);
  await until("delivered", () => delivered === 2);
  await fay.client.markRead(talk, 1);
  await until("read", () => read === 1);
  assert.deepEqual(await eva.client.readers(talk, 1), {
    users: ["fay"],
    cursor: "",
    count: 1,
    of: 1,
  });
  assert.deepEqual((await eva.client.readers(talk, 2)).users, []);
  const { receipts } = await eva.client.receipts(talk);
  assert.deepEqual(
    receipts.filter(({ user }) => user === "fay"),
    [{ user: "fay", deliveredSeq: 2, readSeq: 1 }],
  );
  for (const { client } of [eva, fay]) client.close();
});

test("mentions: counted by themselves, listed, gone when they are read", async () => {
  const [gus, hal] = await Promise.all([peer(server, "gus"), peer(server, "hal")]);
  const group = await gus.client.createGroup({ name: "Marsh", members: ["hal"] });
  const talk = group.conversation;
  await gus.client.send(talk, "plain");
  await gus.client.send(talk, "@hal", { mention: { users: ["hal"] } });
  await gus.client.send(talk, "@all", { mention: { all: true } });
  await gus.client.send(talk, "no count", { uncounted: true });
  const row = () => hal.client.list.get(talk);
  await until("counted", () => row()?.unread === 3 && row()?.unreadMentions === 2);
  const listed = await hal.client.mentions(talk);
  assert.deepEqual(
    listed.map(({ text }) => text),
    ["@hal", "@all"],
  );
  await gus.client.recall(talk, listed[0]?.seq ?? 0);
  await until("one less", () => row()?.unread === 2 && row()?.unreadMentions === 1);
  const position = await hal.client.markRead(talk, row()?.headSeq ?? 0);
  assert.deepEqual([position.unread, position.unreadMentions], [0, 0]);
  await assert.rejects(hal.client.recall(talk, listed[1]?.seq ?? 0), codeIs(3012));
  for (const { client } of [gus, hal]) client.close();
});
