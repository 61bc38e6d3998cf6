/** Chat rooms: what goes out, how the client stays in, and what it tells of them. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type MessageInitShape, create } from "@bufbuild/protobuf";

import type { AnserClient } from "../src/client.js";
import {
  CheckPushSchema,
  DoneSchema,
  type Request,
  type Response,
  RoomAttributeListSchema,
  RoomItemSchema,
  RoomJoinedSchema,
  RoomLeftPush_Reason as Reason,
  RoomLeftPushSchema,
  RoomMemberPageSchema,
  RoomMessagePageSchema,
  RoomMessageSentSchema,
  RoomNotice_Kind as Kind,
  RoomPriority as WirePriority,
  RoomPushSchema,
  RoomSchema,
} from "../src/gen/anser/client/v1/client_pb.js";
import type { RoomModeration, RoomNews } from "../src/types.js";
import type { Verdict } from "./mini-server.js";
import {
  type Exchanged,
  type Setup,
  connected,
  exchange,
  fields,
  join,
  observe,
  outcome,
  setup,
} from "./setup.js";

type Result = Response["result"];
type Items = NonNullable<MessageInitShape<typeof RoomPushSchema>["items"]>;

const DONE: Result = { case: "done", value: create(DoneSchema) };
const LIST: Result = { case: "roomAttributes", value: create(RoomAttributeListSchema) };

const said = (seq: number, text: string): Items[number] => ({
  seq: BigInt(seq),
  item: {
    case: "message",
    value: {
      messageId: `m${seq}`,
      sender: "bob",
      content: { type: "text", body: new TextEncoder().encode(text) },
    },
  },
});

const set = (seq: number, version: number, key: string, value: string): Items[number] => ({
  seq: BigInt(seq),
  item: {
    case: "attributes",
    value: { version: BigInt(version), operator: "bob", set: [{ key, value, owner: "bob" }] },
  },
});

/** A room as a server knows it, and what it answers. */
class Hall {
  epoch = 5n;
  seq = 0n;
  version = 0n;
  items: Items = [];
  lost = false;
  attributes: Record<string, string> = {};
  /** Attributes of a page. */
  pageMax = 100;

  answer(request: Request): Verdict {
    const { command } = request;
    if (command.case === "joinRoom") {
      const room = create(RoomSchema, {
        id: command.value.room,
        memberCount: 2,
        attributesVersion: this.version,
      });
      const { epoch, seq, items, lost } = this;
      const value = create(RoomJoinedSchema, { room, epoch, seq, items, lost });
      return { answer: { case: "roomJoined", value } };
    }
    if (command.case === "getRoomAttributes") {
      const all = Object.entries(this.attributes).sort();
      const rest = all.filter(([key]) => key > command.value.after);
      const attributes = rest.slice(0, this.pageMax).map(([key, value]) => ({ key, value }));
      const after = rest.length > this.pageMax ? (attributes.at(-1)?.key ?? "") : "";
      const value = create(RoomAttributeListSchema, { attributes, version: this.version, after });
      return { answer: { case: "roomAttributes", value } };
    }
    return command.case === "leaveRoom" ? { answer: DONE } : undefined;
  }
}

interface InHall extends Setup {
  readonly hall: Hall;
  push(more: MessageInitShape<typeof RoomPushSchema>): Promise<void>;
  news(): string[];
}

/** One line for each thing that is told. */
function line(news: RoomNews): string {
  switch (news.kind) {
    case "message":
      return news.message.text ?? "?";
    case "recalled":
      return `${news.messageId} recalled by ${news.operator}`;
    case "attributes": {
      const set = news.set.map(({ key, value }) => `${key}=${value}`);
      return [news.operator, ...set, ...news.deleted.map((key) => `-${key}`)].join(" ");
    }
    case "all-attributes":
      return `all ${news.attributes.map(({ key, value }) => `${key}=${value}`).join()}`;
    case "notice":
      return `${news.notice.kind} ${news.notice.users.join()} ${news.notice.extra}`;
    case "member-count":
      return `${news.memberCount} members`;
    case "missed":
      return `missed ${news.count}`;
    case "left":
      return `left ${news.left.reason}`;
  }
}

async function inHall(hall = new Hall()): Promise<InHall> {
  const all = await connected();
  const { server, client, world, events } = all;
  server.judge = (request) => hall.answer(request);
  const joined = outcome(client.joinRoom("hall"));
  await world.settle();
  assert.equal(joined.value?.room.id, "hall");
  const push = async (more: MessageInitShape<typeof RoomPushSchema>): Promise<void> => {
    const value = create(RoomPushSchema, { room: "hall", epoch: hall.epoch, ...more });
    server.push("alice", { case: "room", value });
    await world.settle();
  };
  const news = (): string[] => events("room").map((event) => line(event.news));
  return { ...all, hall, push, news };
}

test("joining gives the newest messages, and then tells what happens", async () => {
  const { server, client, world, events } = await connected();
  const hall = new Hall();
  hall.seq = 3n;
  hall.items = [said(2, "two"), said(3, "three")];
  server.judge = (request) => hall.answer(request);
  const joined = outcome(client.joinRoom("hall", { newest: 2 }));
  await world.settle();
  assert.deepEqual(fields({ case: "joinRoom", value: server.commands("joinRoom")[0] as never }), [
    "joinRoom",
    { room: "hall", newest: 2, knownEpoch: 0n, knownSeq: 0n },
  ]);
  assert.deepEqual(
    joined.value?.messages.map(({ text }) => text),
    ["two", "three"],
  );
  const value = create(RoomPushSchema, {
    room: "hall",
    epoch: 5n,
    prev: 3n,
    items: [
      said(4, "four"),
      { seq: 5n, item: { case: "recall", value: { messageId: "m4", operator: "bob" } } },
      {
        seq: 6n,
        item: {
          case: "notice",
          value: { kind: Kind.ALL_MUTED, operator: "bob", until: 9n, extra: "listen" },
        },
      },
      { seq: 7n, item: { case: "notice", value: { kind: 99 as Kind } } },
    ],
    memberCount: 3,
  });
  server.push("alice", { case: "room", value });
  await world.settle();
  assert.deepEqual(
    events("room").map(({ room, news }) => [room, line(news)]),
    [
      ["hall", "four"],
      ["hall", "m4 recalled by bob"],
      ["hall", "all-muted  listen"],
      ["hall", "unknown  "],
      ["hall", "3 members"],
    ],
  );
});

test("a hole is told, and what is known already is not told again", async () => {
  const { push, news } = await inHall();
  await push({ prev: 0n, items: [said(1, "one"), said(3, "three")] });
  await push({ prev: 2n, items: [said(3, "three"), said(4, "four")] });
  await push({ prev: 6n, items: [said(7, "seven")] });
  await push({ prev: 9n, items: [] });
  assert.deepEqual(news(), ["one", "missed 1", "three", "four", "missed 2", "seven", "missed 2"]);
});

test("in another epoch nobody knows how much was missed", async () => {
  const { push, news, hall } = await inHall();
  await push({ prev: 0n, items: [said(1, "one")] });
  hall.epoch = 6n;
  await push({ prev: 40n, items: [said(41, "again")] });
  assert.deepEqual(news(), ["one", "missed 0", "again"]);
});

test("after a lost connection the client comes back, from where it was", async () => {
  const { server, world, push, news, hall } = await inHall();
  await push({ prev: 0n, items: [said(1, "one")] });
  hall.seq = 4n;
  hall.items = [said(3, "three"), said(4, "four")];
  hall.lost = true;
  server.cut();
  await world.pass(60_000);
  const asked = server
    .commands("joinRoom")
    .map(({ knownEpoch, knownSeq }) => [knownEpoch, knownSeq]);
  assert.deepEqual(asked, [
    [0n, 0n],
    [5n, 1n],
  ]);
  assert.deepEqual(news(), ["one", "missed 1", "three", "four", "2 members"]);
  await push({ prev: 4n, items: [said(5, "five")] });
  assert.deepEqual(news().slice(5), ["five"]);
});

test("the client asks again when something may be lost; pushes wait for the answer", async () => {
  const { server, world, push, news, hall } = await inHall();
  hall.seq = 2n;
  hall.items = [said(1, "one"), said(2, "two")];
  const answer = server.judge;
  let session: Parameters<typeof answer>[1] | undefined;
  let asked: Request | undefined;
  server.judge = (request, from) => {
    if (request.command.case !== "joinRoom") return answer(request, from);
    [asked, session] = [request, from];
    return { drop: true };
  };
  server.push("alice", { case: "check", value: create(CheckPushSchema) });
  await world.settle();
  await push({ prev: 1n, items: [said(2, "two"), said(3, "three")] });
  assert.deepEqual(news(), [], "the answer comes first");
  assert.ok(asked && session);
  const verdict = hall.answer(asked);
  assert.ok(verdict && "answer" in verdict);
  session.send([
    {
      case: "response",
      value: { $typeName: "anser.client.v1.Response", id: asked.id, result: verdict.answer },
    },
  ]);
  await world.settle();
  assert.deepEqual(news(), ["one", "two", "2 members", "three"]);
});

test("attributes are read when the client comes in, by pages, and when a change may be missed", async () => {
  const hall = new Hall();
  hall.version = 3n;
  hall.attributes = { a: "1", b: "2", c: "3" };
  hall.pageMax = 2;
  const { server, push, news } = await inHall(hall);
  assert.deepEqual(news(), ["all a=1,b=2,c=3"]);
  assert.deepEqual(
    server.commands("getRoomAttributes").map(({ after }) => after),
    ["", "b"],
  );
  hall.version = 4n;
  hall.attributes = { a: "4", b: "2", c: "3" };
  await push({ prev: 0n, items: [set(1, 4, "a", "4")], attributesVersion: 4n });
  assert.deepEqual(news().slice(1), ["bob a=4"], "a change that is told need not be read");
  await push({ prev: 2n, items: [said(3, "three")], attributesVersion: 4n });
  assert.deepEqual(news().slice(2), ["missed 1", "three"], "nor what did not change");
  hall.version = 5n;
  hall.attributes = { a: "5" };
  await push({ prev: 4n, items: [said(5, "five")], attributesVersion: 5n });
  assert.deepEqual(news().slice(4), ["missed 1", "five", "all a=5"]);
});

test("attributes whose reading was cut off are read on the next connection", async () => {
  const hall = new Hall();
  hall.version = 3n;
  hall.attributes = { a: "1" };
  const all = await connected();
  const { server, client, world, events } = all;
  server.judge = (request) =>
    request.command.case === "getRoomAttributes" ? { drop: true } : hall.answer(request);
  void client.joinRoom("hall");
  await world.settle();
  // The change makes the versions equal; what was set before is not known nevertheless.
  const items = [set(1, 4, "b", "2")];
  const value = create(RoomPushSchema, { room: "hall", epoch: 5n, items, attributesVersion: 4n });
  server.push("alice", { case: "room", value });
  await world.settle();
  hall.version = 4n;
  hall.seq = 1n;
  hall.attributes = { a: "1", b: "2" };
  server.judge = (request) => hall.answer(request);
  server.cut();
  await world.pass(60_000);
  assert.deepEqual(
    events("room").map(({ news }) => line(news)),
    ["bob b=2", "2 members", "all a=1,b=2"],
  );
});

test("who is put out, or refused, is not in the room any more", async () => {
  const { server, world, client, push, news, hall, events } = await inHall();
  const value = create(RoomLeftPushSchema, {
    room: "hall",
    reason: Reason.REMOVED,
    until: 9n,
    extra: "out",
  });
  server.push("alice", { case: "roomLeft", value });
  await world.settle();
  const last = events("room").at(-1)?.news;
  assert.ok(last?.kind === "left");
  assert.deepEqual(last.left, { reason: "removed", until: 9, extra: "out" });
  await push({ prev: 0n, items: [said(1, "one")] });
  assert.equal(news().length, 1, "nothing more is told");

  const again = outcome(client.joinRoom("hall"));
  await world.settle();
  assert.ok(again.value);
  server.judge = (request) =>
    request.command.case === "joinRoom" ? { error: 3071 } : hall.answer(request);
  server.cut();
  await world.pass(60_000);
  assert.deepEqual(news().slice(1), ["left refused"]);
  const before = server.commands("joinRoom").length;
  server.cut();
  await world.pass(60_000);
  assert.equal(server.commands("joinRoom").length, before, "it does not try again");
});

test("the reasons for having left", async () => {
  for (const [reason, told] of [
    [Reason.DESTROYED, "left destroyed"],
    [Reason.JOINED_ANOTHER, "left joined-another"],
    [99 as Reason, "left removed"],
  ] as const) {
    const { server, world, news } = await inHall();
    const value = create(RoomLeftPushSchema, { room: "hall", reason });
    server.push("alice", { case: "roomLeft", value });
    await world.settle();
    assert.deepEqual(news(), [told]);
  }
});

test("joining that is refused for now is tried again, for good it is told", async () => {
  const { server, client, world } = await connected();
  const hall = new Hall();
  let refusals = 2;
  server.judge = (request) =>
    request.command.case === "joinRoom" && refusals-- > 0 ? { error: 1002 } : hall.answer(request);
  const joined = outcome(client.joinRoom("hall"));
  await world.pass(10_000);
  assert.equal(joined.value?.room.memberCount, 2);
  server.judge = () => ({ error: 3071 });
  const refused = outcome(client.joinRoom("nowhere"));
  await world.settle();
  assert.equal(refused.code, 3071);
});

test("joining waits for a connection that is being made, but not for ever", async () => {
  const { server, client, world } = setup();
  const early = outcome(client.joinRoom("hall"));
  await world.settle();
  assert.equal(early.code, 510, "connect() first");
  server.reachable = false;
  void client.connect();
  const late = outcome(client.joinRoom("hall"));
  await world.pass(21_000);
  assert.equal(late.code, 300);
  const soon = outcome(client.joinRoom("hall"));
  const hall = new Hall();
  server.judge = (request) => hall.answer(request);
  server.reachable = true;
  client.retryNow();
  await world.settle();
  assert.ok(soon.value);
  assert.equal(server.commands("joinRoom").length, 1);
});

test("what can't be is refused here", async () => {
  const { client, world } = await inHall();
  const far = outcome(client.joinRoom("other", { newest: 51 }));
  const [one, two] = [outcome(client.joinRoom("hall")), outcome(client.joinRoom("hall"))];
  await world.settle();
  assert.deepEqual([far.code, one.code, two.code], [3000, undefined, 3000]);
});

test("of a room that was left nothing is told, and it is entered again behind that", async () => {
  const { server, client, world, push, news } = await inHall();
  const left = outcome(client.leaveRoom("hall"));
  await push({ prev: 0n, items: [said(1, "one")] });
  assert.deepEqual([left.code, news()], [undefined, []]);
  server.cut();
  const order: (string | undefined)[] = [];
  const { judge } = server;
  server.judge = (request, session) => {
    if (/Room/.test(request.command.case ?? "")) order.push(request.command.case);
    return judge(request, session);
  };
  const leaving = outcome(client.leaveRoom("hall"));
  const joined = outcome(client.joinRoom("hall"));
  await world.pass(10_000);
  assert.deepEqual(order, ["leaveRoom", "joinRoom"]);
  assert.ok(joined.value && leaving.code === undefined);
  const twice = outcome(client.joinRoom("hall"));
  void client.leaveRoom("hall");
  await world.settle();
  assert.equal(twice.code, 3070);
});

test("rooms are entered again in the order in which they were joined", async () => {
  const { server, client, world } = await inHall();
  for (const room of ["attic", "hall", "yard", "hall"]) {
    void client.joinRoom(room);
    await world.settle();
  }
  const before = server.commands("joinRoom").length;
  server.cut();
  await world.pass(60_000);
  const again = server.commands("joinRoom").slice(before);
  assert.deepEqual(
    again.map(({ room }) => room),
    ["attic", "yard", "hall"],
  );
});

test("who disconnects is back in the room when connected again; who signs out is not", async () => {
  const { server, client, world } = await inHall();
  client.disconnect();
  await world.settle();
  void client.connect();
  await world.settle();
  assert.equal(server.commands("joinRoom").length, 2);
  const out = outcome(client.logout());
  await world.settle();
  assert.equal(out.code, undefined);
  void client.connect();
  await world.settle();
  assert.equal(server.commands("joinRoom").length, 2);
});

test("another user is in none of the rooms", async () => {
  const { server, world } = await inHall();
  let user = "bob";
  const other = join(server, world, user, { token: () => Promise.resolve(user) });
  const { events } = observe(other);
  void other.connect();
  void other.joinRoom("hall");
  await world.settle();
  const before = server.commands("joinRoom").length;
  other.disconnect();
  user = "carol";
  const { judge } = server;
  server.judge = (request, session) =>
    request.command.case === "hello" && request.command.value.token === "bob"
      ? { error: 2001 }
      : judge(request, session);
  void other.connect();
  await world.pass(10_000);
  assert.equal(other.userId, "carol");
  assert.equal(server.commands("joinRoom").length, before);
  assert.deepEqual(events("room"), []);
});

test("what is said has a priority, and the answer says what became of it", async () => {
  const sent: Result = {
    case: "roomMessageSent",
    value: create(RoomMessageSentSchema, { seq: 0n, messageId: "m", time: 7n, dropped: true }),
  };
  const { command, value } = await exchange(sent, (client) =>
    client.sendToRoom(
      "hall",
      { type: "app.like", body: "❤" },
      { priority: "low", tellDropped: true },
    ),
  );
  assert.ok(command.case === "sendRoomMessage");
  const { room, content, priority, tellDropped, clientMessageId } = command.value;
  assert.deepEqual(
    [room, content?.type, priority, tellDropped],
    ["hall", "app.like", WirePriority.LOW, true],
  );
  assert.deepEqual(value, { seq: 0, id: "m", clientMessageId, time: 7, dropped: true });
  const plain = await exchange(sent, (client) => client.sendToRoom("hall", "hello"));
  assert.ok(plain.command.case === "sendRoomMessage");
  assert.equal(plain.command.value.priority, WirePriority.HIGH);
});

test("each command is one of the protocol", async () => {
  const asked: [(client: AnserClient) => Promise<unknown>, Result, unknown][] = [
    [
      (c) => c.recallRoomMessage("hall", "m1"),
      DONE,
      ["recallRoomMessage", { room: "hall", messageId: "m1" }],
    ],
    [
      (c) => c.roomMembers("hall", { newestFirst: true, limit: 5 }),
      { case: "roomMembers", value: create(RoomMemberPageSchema) },
      ["listRoomMembers", { room: "hall", newestFirst: true, cursor: "", limit: 5 }],
    ],
    [
      (c) => c.roomMessages("hall", { from: "m1", forward: true }),
      { case: "roomMessages", value: create(RoomMessagePageSchema) },
      ["pullRoomMessages", { room: "hall", fromMessageId: "m1", forward: true, limit: 0 }],
    ],
  ];
  for (const [ask, answer, wanted] of asked) {
    const { command, code } = await exchange(answer, ask);
    assert.deepEqual([fields(command), code], [wanted, undefined]);
  }
});

test("attributes are set, and deleted by having no value", async () => {
  const { command, code } = await exchange(LIST, (client) =>
    client.setRoomAttributes(
      "hall",
      [{ key: "seat1", value: "", leaves: true }, { key: "topic" }],
      {
        force: true,
      },
    ),
  );
  assert.ok(command.case === "setRoomAttributes");
  assert.deepEqual(
    command.value.changes.map(({ key, value, leaves }) => [key, value, leaves]),
    [
      ["seat1", "", true],
      ["topic", undefined, false],
    ],
  );
  assert.deepEqual([command.value.force, code], [true, undefined]);
});

test("what a moderator does, with and without words", async () => {
  const wanted: [RoomModeration, string, unknown][] = [
    [{ remove: ["bob"] }, "remove", { users: ["bob"], seconds: 0n }],
    [{ mute: ["bob"], seconds: 60 }, "mute", { users: ["bob"], seconds: 60n }],
    [{ unmute: ["bob"] }, "unmute", { users: ["bob"] }],
    [{ liftBan: ["bob"] }, "liftBan", { users: ["bob"] }],
    [{ muteAll: false }, "muteAll", false],
  ];
  for (const [what, name, sent] of wanted) {
    const exchanged: Exchanged<void> = await exchange(DONE, (c) =>
      c.moderateRoom("hall", what, ""),
    );
    const { command } = exchanged;
    assert.ok(command.case === "moderateRoom");
    const { action, notify, extra } = command.value;
    const value =
      typeof action.value === "object" ? { ...action.value, $typeName: undefined } : action.value;
    assert.deepEqual(
      [action.case, JSON.stringify(value, plain), notify, extra],
      [name, JSON.stringify(sent, plain), true, ""],
    );
  }
  const { command } = await exchange(DONE, (c) => c.moderateRoom("hall", { muteAll: true }));
  assert.ok(command.case === "moderateRoom");
  assert.equal(command.value.notify, false);
});

test("rooms, their members and what they keep, as an application sees them", async () => {
  const room = await exchange(
    {
      case: "room",
      value: create(RoomSchema, { id: "hall", moderators: ["bob"], mutedUntil: 8n }),
    },
    (client) => client.room("hall"),
  );
  assert.deepEqual([room.value?.moderators, room.value?.mutedUntil], [["bob"], 8]);
  const members = create(RoomMemberPageSchema, {
    members: [{ user: "bob", joinedTime: 3n }],
    cursor: "c",
    memberCount: 7,
  });
  const page = await exchange({ case: "roomMembers", value: members }, (client) =>
    client.roomMembers("hall"),
  );
  assert.deepEqual(page.value, {
    members: [{ user: "bob", joinedTime: 3 }],
    cursor: "c",
    memberCount: 7,
  });
  const recalled = { messageId: "m1", sender: "bob", priority: WirePriority.LOW, recalled: true };
  const kept = create(RoomMessagePageSchema, { messages: [recalled], more: true });
  const { value } = await exchange({ case: "roomMessages", value: kept }, (client) =>
    client.roomMessages("hall"),
  );
  assert.equal(value?.more, true);
  const [message] = value?.messages ?? [];
  assert.deepEqual(
    [message?.id, message?.priority, message?.recalled, message?.text],
    ["m1", "low", true, undefined],
  );
});

test("an item of a newer server is passed over", async () => {
  const { push, news } = await inHall();
  await push({ prev: 0n, items: [create(RoomItemSchema, { seq: 1n }), said(2, "two")] });
  assert.deepEqual(news(), ["two"]);
});

function plain(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? Number(value) : value;
}
