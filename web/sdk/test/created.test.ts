/** Created conversations, lists and presence: what goes out, and what becomes of answers. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { create, toBinary } from "@bufbuild/protobuf";

import type { AnserClient } from "../src/client.js";
import {
  type ChangeConversation,
  ConversationsFoundSchema,
  CreatedConversationSchema,
  DoneSchema,
  GroupMemberPageSchema,
  GroupNotice_Kind as Kind,
  GroupNoticeSchema,
  GroupRole,
  GroupUserPageSchema,
  MessageSchema,
  Platform,
  PresenceListSchema,
  PresenceSchema,
  PresenceSubscriptionsSchema,
  RelationList,
  RelationPageSchema,
  RelationPushSchema,
  type Request,
  type Response,
  SearchPageSchema,
  SystemConversationSchema,
} from "../src/gen/anser/client/v1/client_pb.js";
import { noticeFrom } from "../src/group-wire.js";
import { type Exchanged, connected, exchange, fields } from "./setup.js";

type Result = Response["result"];

const DONE: Result = { case: "done", value: create(DoneSchema) };

const CHESS = create(CreatedConversationSchema, {
  conversation: "c/x1",
  name: "Chess",
  owner: "alice",
  memberCount: 2,
  createdTime: 5n,
  updatedTime: 6n,
  lastTime: 7n,
  attributes: '{"game":{"round":1}}',
  settings: { public: true, open: true },
  managers: ["bob"],
  unique: true,
  reused: true,
});
const ANSWER: Result = { case: "createdConversation", value: CHESS };

test("a created conversation has all that is told of it", async () => {
  const { command, value } = await exchange(ANSWER, (client) =>
    client.createConversation({
      name: "Chess",
      members: ["bob"],
      attributes: { game: { round: 1 } },
      unique: true,
    }),
  );
  assert.deepEqual(fields(command), [
    "createConversation",
    {
      name: "Chess",
      members: ["bob"],
      attributes: '{"game":{"round":1}}',
      public: false,
      unique: true,
      temporary: false,
      seconds: 0,
    },
  ]);
  assert.deepEqual(value, {
    conversation: "c/x1",
    name: "Chess",
    owner: "alice",
    memberCount: 2,
    createdTime: 5,
    updatedTime: 6,
    lastTime: 7,
    attributes: { game: { round: 1 } },
    settings: { public: true, open: true, muted: false, historyVisible: false },
    managers: ["bob"],
    unique: true,
    reused: true,
  });
});

test("a temporary conversation tells when it ends", async () => {
  const answer = create(CreatedConversationSchema, {
    ...CHESS,
    conversation: "t/x1-60",
    endTime: 60_005n,
  });
  const { command, value } = await exchange(
    { case: "createdConversation", value: answer },
    (client) => client.createConversation({ members: ["bob"], temporary: true, seconds: 60 }),
  );
  assert.deepEqual(fields(command), [
    "createConversation",
    {
      name: "",
      members: ["bob"],
      attributes: "",
      public: false,
      unique: false,
      temporary: true,
      seconds: 60,
    },
  ]);
  assert.equal((value as { endTime?: number }).endTime, 60_005);
});

test("system conversations are subscribed to, left and shown", async () => {
  const news = create(SystemConversationSchema, {
    conversation: "s/news",
    name: "News",
    portrait: "https://example.com/a.png",
    attributes: '{"topic":"geese"}',
    createdTime: 5n,
    updatedTime: 6n,
  });
  const shown = {
    conversation: "s/news",
    name: "News",
    portrait: "https://example.com/a.png",
    attributes: { topic: "geese" },
    everyone: false,
    createdTime: 5,
    updatedTime: 6,
  };
  const answer: Result = { case: "systemConversation", value: news };
  const asked: [(client: AnserClient) => Promise<unknown>, string, Result, unknown][] = [
    [(c) => c.subscribe("s/news"), "subscribe", answer, shown],
    [(c) => c.getSystemConversation("s/news"), "getSystemConversation", answer, shown],
    [(c) => c.unsubscribe("s/news"), "unsubscribe", DONE, undefined],
  ];
  for (const [ask, name, answer, shown] of asked) {
    const { command, value } = await exchange(answer, ask);
    assert.deepEqual(fields(command), [name, { conversation: "s/news" }]);
    assert.deepEqual(value, shown);
  }
});

test("attributes that are no JSON break the protocol", async () => {
  const broken = create(CreatedConversationSchema, { ...CHESS, attributes: "{" });
  const { code, value } = await exchange({ case: "createdConversation", value: broken }, (client) =>
    client.getCreatedConversation("c/x1"),
  );
  assert.deepEqual([code, value], [1000, undefined]);
});

function changeOf(command: Request["command"]): ChangeConversation["change"] {
  assert.ok(command.case === "changeConversation");
  return command.value.change;
}

test("each change is one of those of the protocol", async () => {
  const asked: [(client: AnserClient) => Promise<unknown>, string, unknown][] = [
    [(c) => c.inviteToConversation("c/x1", ["eve"]), "invite", { users: ["eve"] }],
    [(c) => c.removeFromConversation("c/x1", ["eve"]), "remove", { users: ["eve"] }],
    [(c) => c.joinConversation("c/x1"), "join", {}],
    [
      (c) => c.setConversationRole("c/x1", ["bob"], "admin"),
      "setRole",
      { users: ["bob"], role: GroupRole.ADMIN },
    ],
    [
      (c) => c.setConversationRole("c/x1", ["bob"], "member"),
      "setRole",
      { users: ["bob"], role: GroupRole.MEMBER },
    ],
    [(c) => c.muteInConversation("c/x1", ["bob"], 60), "mute", { users: ["bob"], seconds: 60n }],
    [(c) => c.blockFromConversation("c/x1", ["bob"], 0), "block", { users: ["bob"], seconds: 0n }],
    [(c) => c.transferConversation("c/x1", "bob"), "transfer", "bob"],
  ];
  for (const [ask, name, wanted] of asked) {
    const exchanged: Exchanged<unknown> = await exchange(ANSWER, ask);
    const change = changeOf(exchanged.command);
    assert.equal(change.case, name);
    const sent: unknown = change.value;
    const plain =
      typeof sent === "object"
        ? Object.fromEntries(Object.entries(sent ?? {}).filter(([key]) => key !== "$typeName"))
        : sent;
    assert.deepEqual(plain, wanted, name);
    assert.equal((exchanged.value as { conversation: string }).conversation, "c/x1");
  }
  for (const end of ["leaveConversation", "dismissConversation"] as const) {
    const ended: Exchanged<void> = await exchange(DONE, (client) => client[end]("c/x1"));
    assert.equal(`${changeOf(ended.command).case}Conversation`, end);
    assert.equal(ended.code, undefined);
  }
});

test("an update says only what it changes; values go by path, as JSON", async () => {
  const { command } = await exchange(ANSWER, (client) =>
    client.updateCreatedConversation("c/x1", {
      muted: true,
      setAttributes: { "game.round": 2, tags: ["a"], gone: null },
      unsetAttributes: ["game.kind"],
    }),
  );
  assert.ok(command.case === "changeConversation" && command.value.change.case === "update");
  const { $typeName: _, ...sent } = command.value.change.value;
  assert.deepEqual(sent, {
    muted: true,
    setAttributes: { "game.round": "2", tags: '["a"]', gone: "null" },
    unsetAttributes: ["game.kind"],
  });
});

test("members, those muted, and who is blocked come by pages", async () => {
  const members: Result = {
    case: "groupMembers",
    value: create(GroupMemberPageSchema, {
      members: [{ userId: "bob", role: GroupRole.ADMIN, mutedUntil: 9n }],
      cursor: "next",
    }),
  };
  const muted = await exchange(members, (client) =>
    client.conversationMembers("c/x1", { muted: true, cursor: "here" }),
  );
  assert.deepEqual(fields(muted.command), [
    "listConversationMembers",
    { conversation: "c/x1", cursor: "here", limit: 0, muted: true },
  ]);
  assert.equal(muted.value?.members[0]?.mutedUntil, 9);
  assert.equal(muted.value?.cursor, "next");
  const blocked: Result = {
    case: "groupUsers",
    value: create(GroupUserPageSchema, { users: [{ userId: "eve", until: 3n }] }),
  };
  const blocks = await exchange(blocked, (client) => client.conversationBlocks("c/x1"));
  assert.deepEqual(
    blocks.value?.users.map(({ userId, until }) => [userId, until]),
    [["eve", 3]],
  );
});

test("a query is JSON, and its answer says whether it is all", async () => {
  const found: Result = {
    case: "conversationsFound",
    value: create(ConversationsFoundSchema, { conversations: [CHESS], matched: 3 }),
  };
  const { command, value } = await exchange(found, (client) =>
    client.queryConversations({
      filter: { all: [{ field: "members", op: "all", value: ["bob"] }] },
      sort: ["-last_time"],
      limit: 1,
    }),
  );
  assert.deepEqual(fields(command), [
    "queryConversations",
    {
      filter: '{"all":[{"field":"members","op":"all","value":["bob"]}]}',
      sort: ["-last_time"],
      skip: 0,
      limit: 1,
    },
  ]);
  assert.deepEqual([value?.conversations.length, value?.matched, value?.complete], [1, 3, false]);
});

test("what changed in nested attributes stands in the notice", () => {
  const body = toBinary(
    GroupNoticeSchema,
    create(GroupNoticeSchema, {
      kind: Kind.UPDATED,
      operator: "bob",
      changed: ["attributes.game.round"],
      nestedAttributes: '{"game.round":2,"old":null}',
    }),
  );
  const notice = noticeFrom(body);
  assert.ok(notice?.kind === "updated");
  assert.deepEqual(notice.nestedAttributes, { "game.round": 2, old: null });
});

test("block list and allow list", async () => {
  const update = await exchange(DONE, (client) =>
    client.updateRelations("allowed", { add: ["bob"], allowOnly: true }),
  );
  assert.deepEqual(fields(update.command), [
    "updateRelations",
    { list: RelationList.ALLOWED, add: ["bob"], remove: [], allowOnly: true },
  ]);
  const stays = await exchange(DONE, (client) => client.updateRelations("blocked", {}));
  assert.equal("allowOnly" in (fields(stays.command)[1] as object), false);
  const page: Result = {
    case: "relations",
    value: create(RelationPageSchema, { users: ["eve"], cursor: "c", version: 4n }),
  };
  const { value } = await exchange(page, (client) => client.relations("blocked"));
  assert.deepEqual(value, { users: ["eve"], cursor: "c", allowOnly: false, version: 4 });
});

test("presence, subscriptions and one's own words", async () => {
  const list: Result = {
    case: "presences",
    value: create(PresenceListSchema, {
      presences: [
        {
          user: "bob",
          online: true,
          lastSeen: 3n,
          devices: [
            { deviceId: "d", platform: Platform.IOS, online: true, time: 3n },
            { deviceId: "e", platform: 99 as Platform, online: false, time: 1n },
          ],
          status: "At lunch",
          statusUntil: 9n,
        },
      ],
    }),
  };
  const { command, value } = await exchange(list, (client) =>
    client.subscribePresence(["bob"], 60),
  );
  assert.deepEqual(fields(command), ["subscribePresence", { users: ["bob"], seconds: 60 }]);
  assert.deepEqual(value, [
    {
      user: "bob",
      online: true,
      lastSeen: 3,
      devices: [
        { deviceId: "d", platform: "ios", online: true, time: 3 },
        { deviceId: "e", platform: undefined, online: false, time: 1 },
      ],
      status: "At lunch",
      statusUntil: 9,
    },
  ]);
  const asked = await exchange(list, (client) => client.presence(["bob"]));
  assert.deepEqual(fields(asked.command), ["getPresence", { users: ["bob"] }]);
  const status = await exchange(DONE, (client) => client.setPresenceStatus("At lunch", 60));
  assert.deepEqual(fields(status.command), [
    "setPresenceStatus",
    { status: "At lunch", seconds: 60 },
  ]);
  const subscriptions: Result = {
    case: "presenceSubscriptions",
    value: create(PresenceSubscriptionsSchema, { subscriptions: [{ user: "bob", until: 8n }] }),
  };
  const all = await exchange(subscriptions, (client) => client.presenceSubscriptions());
  assert.deepEqual(all.value, [{ user: "bob", until: 8 }]);
});

test("changes of lists and of presence are told", async () => {
  const { server, events, world } = await connected();
  server.push("alice", {
    case: "relation",
    value: create(RelationPushSchema, {
      list: RelationList.BLOCKED,
      added: ["eve"],
      version: 2n,
      previous: 1n,
    }),
  });
  server.push("alice", {
    case: "presence",
    value: create(PresenceSchema, { user: "bob", lastSeen: 4n }),
  });
  await world.settle();
  assert.deepEqual(events("relations"), [
    { list: "blocked", added: ["eve"], removed: [], allowOnly: false, version: 2, previous: 1 },
  ]);
  assert.deepEqual(
    events("presence").map(({ user, online, lastSeen }) => [user, online, lastSeen]),
    [["bob", false, 4]],
  );
});

test("the search on the server names only what it looks for", async () => {
  const page: Result = {
    case: "searchPage",
    value: create(SearchPageSchema, {
      messages: [
        create(MessageSchema, {
          conversation: "p/alice/bob",
          seq: 4n,
          content: { type: "text", body: new TextEncoder().encode("大雁") },
        }),
      ],
      cursor: "next",
    }),
  };
  const { command, value } = await exchange(page, (client) =>
    client.searchMessages({ query: "雁", sender: "bob", since: 5 }),
  );
  assert.deepEqual(fields(command), [
    "searchMessages",
    {
      conversation: "",
      query: "雁",
      sender: "bob",
      type: "",
      fromTime: 5n,
      untilTime: 0n,
      limit: 0,
      cursor: "",
    },
  ]);
  assert.deepEqual(
    value?.messages.map(({ text }) => text),
    ["大雁"],
  );
  assert.equal(value?.cursor, "next");
});
