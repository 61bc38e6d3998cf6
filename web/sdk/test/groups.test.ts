/** Groups: what goes out for each command, and what becomes of the answers, pushes and notices. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { type MessageInitShape, create, toBinary } from "@bufbuild/protobuf";

import type { AnserClient } from "../src/client.js";
import {
  ConversationPushSchema,
  ConversationSchema,
  DoneSchema,
  GroupJoinedSchema,
  GroupMemberPageSchema,
  GroupNotice_Kind as Kind,
  GroupNoticeSchema,
  GroupRole,
  GroupSchema,
  GroupUserPageSchema,
  JoinMode,
  JoinRequestPushSchema,
  type Response,
} from "../src/gen/anser/client/v1/client_pb.js";
import { noticeFrom } from "../src/group-wire.js";
import { connected, exchange, fields, outcome } from "./setup.js";

type Result = Response["result"];

const DONE: Result = { case: "done", value: create(DoneSchema) };

const LAKE: Result = {
  case: "group",
  value: create(GroupSchema, {
    groupId: "lake",
    name: "Lake",
    owner: "alice",
    admins: ["bob"],
    memberCount: 3,
    createdTime: 5n,
    announcement: "Be kind",
    portrait: "https://x/y.png",
    attributes: { topic: "geese" },
    settings: { join: JoinMode.CLOSED, muted: true, onlyAdminsInvite: true },
    roles: [{ name: "guide", rights: ["invite", "mute"] }],
  }),
};

const USERS: Result = {
  case: "groupUsers",
  value: create(GroupUserPageSchema, {
    users: [{ userId: "eve", time: 1n, operator: "bob", until: 9n, message: "hi" }],
    cursor: "next",
  }),
};

test("a group has all that is told of it", async () => {
  const { value } = await exchange(LAKE, (client) => client.getGroup("lake"));
  assert.deepEqual(value, {
    id: "lake",
    conversation: "g/lake",
    name: "Lake",
    owner: "alice",
    admins: ["bob"],
    memberCount: 3,
    createdTime: 5,
    announcement: "Be kind",
    portrait: "https://x/y.png",
    attributes: { topic: "geese" },
    settings: {
      join: "closed",
      invitationsNeedAcceptance: false,
      onlyAdminsInvite: true,
      muted: true,
      historyVisible: false,
    },
    roles: [{ name: "guide", rights: ["invite", "mute"] }],
  });
});

test("members have role, nickname and mute", async () => {
  const answer: Result = {
    case: "groupMembers",
    value: create(GroupMemberPageSchema, {
      members: [
        { userId: "a", role: GroupRole.OWNER, joinedTime: 1n },
        { userId: "b", role: GroupRole.ADMIN, nickname: "B", attributes: { seat: "1" } },
        { userId: "c", role: GroupRole.MEMBER, roleName: "guide", mutedUntil: 7n, exempt: true },
        { userId: "d", role: 99 as GroupRole },
      ],
    }),
  };
  const { value } = await exchange(answer, (client) => client.groupMembers("lake"));
  const plain = { roleName: "", nickname: "", attributes: {}, mutedUntil: 0, exempt: false };
  assert.deepEqual(value?.members, [
    { ...plain, userId: "a", role: "owner", joinedTime: 1 },
    {
      ...plain,
      userId: "b",
      role: "admin",
      nickname: "B",
      attributes: { seat: "1" },
      joinedTime: 0,
    },
    {
      ...plain,
      userId: "c",
      role: "member",
      roleName: "guide",
      mutedUntil: 7,
      exempt: true,
      joinedTime: 0,
    },
    // A role of a younger server.
    { ...plain, userId: "d", role: "member", joinedTime: 0 },
  ]);
});

const NOTHING = { putAttributes: {}, removeAttributes: [], join: JoinMode.UNSPECIFIED };

/** Command by command: the call, what is sent, what it resolves with. */
const COMMANDS: [string, Result, (client: AnserClient) => Promise<unknown>, unknown][] = [
  [
    "updateGroup",
    LAKE,
    (client) => client.updateGroup("lake", { announcement: "", muted: false, join: "public" }),
    { groupId: "lake", ...NOTHING, announcement: "", muted: false, join: JoinMode.PUBLIC },
  ],
  [
    "updateGroup",
    LAKE,
    (client) => client.updateGroup("lake", { putAttributes: { a: "1" }, removeAttributes: ["b"] }),
    { groupId: "lake", ...NOTHING, putAttributes: { a: "1" }, removeAttributes: ["b"] },
  ],
  [
    "transferGroup",
    LAKE,
    (client) => client.transferGroup("lake", "bob"),
    { groupId: "lake", owner: "bob" },
  ],
  [
    "setGroupRole",
    LAKE,
    (client) => client.setGroupRole("lake", ["bob"], "admin"),
    { groupId: "lake", members: ["bob"], role: GroupRole.ADMIN, roleName: "" },
  ],
  [
    "setGroupRole",
    LAKE,
    (client) => client.setGroupRole("lake", ["bob"], { name: "guide" }),
    { groupId: "lake", members: ["bob"], role: GroupRole.MEMBER, roleName: "guide" },
  ],
  [
    "muteGroupMembers",
    DONE,
    (client) => client.muteGroupMembers("lake", ["eve"], 60),
    { groupId: "lake", members: ["eve"], seconds: 60n },
  ],
  [
    "exemptGroupMembers",
    DONE,
    (client) => client.exemptGroupMembers("lake", ["eve"]),
    { groupId: "lake", members: ["eve"], exempt: true },
  ],
  [
    "banGroupUsers",
    DONE,
    (client) => client.banGroupUsers("lake", ["eve"], 0),
    { groupId: "lake", users: ["eve"], seconds: 0n },
  ],
  [
    "updateGroupMember",
    DONE,
    (client) => client.updateGroupMember("lake", { nickname: "A" }),
    { groupId: "lake", userId: "", nickname: "A", putAttributes: {}, removeAttributes: [] },
  ],
  [
    "updateGroupMember",
    DONE,
    (client) => client.updateGroupMember("lake", { user: "eve", putAttributes: { seat: "2" } }),
    { groupId: "lake", userId: "eve", putAttributes: { seat: "2" }, removeAttributes: [] },
  ],
  [
    "decideJoinRequests",
    LAKE,
    (client) => client.decideJoinRequests("lake", ["eve"], true),
    { groupId: "lake", users: ["eve"], approve: true },
  ],
  [
    "answerGroupInvitation",
    LAKE,
    (client) => client.acceptGroupInvitation("lake"),
    { groupId: "lake", accept: true },
  ],
  [
    "answerGroupInvitation",
    DONE,
    (client) => client.declineGroupInvitation("lake"),
    { groupId: "lake", accept: false },
  ],
  [
    "listGroupBans",
    USERS,
    (client) => client.groupBans("lake", { limit: 3 }),
    { groupId: "lake", cursor: "", limit: 3 },
  ],
  [
    "listJoinRequests",
    USERS,
    (client) => client.joinRequests("lake"),
    { groupId: "lake", cursor: "", limit: 0 },
  ],
  [
    "listGroupInvitations",
    USERS,
    (client) => client.groupInvitations("lake", { cursor: "c" }),
    { groupId: "lake", cursor: "c", limit: 0 },
  ],
];

for (const [name, answer, ask, expected] of COMMANDS) {
  test(`${name} says ${Object.keys(expected as object).join(", ")}`, async () => {
    const { command, value, code } = await exchange(answer, ask);
    assert.equal(code, undefined);
    assert.deepEqual(fields(command), [name, expected]);
    if (answer.case === "group") assert.equal((value as { id: string }).id, "lake");
    if (answer.case !== "groupUsers") return;
    const user = { userId: "eve", time: 1, operator: "bob", until: 9, message: "hi" };
    assert.deepEqual(value, { users: [user], cursor: "next" });
  });
}

test("roles of a group's own are defined and removed", async () => {
  const defined = await exchange(LAKE, (client) =>
    client.defineGroupRole("lake", "guide", ["invite", "mute"]),
  );
  assert.equal(defined.command.case, "defineGroupRole");
  const { role, remove } = defined.command.value as { role: { rights: string[] }; remove: boolean };
  assert.deepEqual([role.rights, remove], [["invite", "mute"], false]);
  const removed = await exchange(LAKE, (client) => client.removeGroupRole("lake", "guide"));
  assert.equal((removed.command.value as { remove: boolean }).remove, true);
});

test("joining: at once, or a request that waits", async () => {
  const joined: Result = {
    case: "groupJoined",
    value: create(GroupJoinedSchema, { joined: true, group: LAKE.value as never }),
  };
  const atOnce = await exchange(joined, (client) => client.joinGroup("lake", "let me in"));
  assert.equal(atOnce.value?.joined, true);
  assert.equal(atOnce.value?.group?.name, "Lake");
  assert.equal((atOnce.command.value as { message: string }).message, "let me in");
  const waits: Result = { case: "groupJoined", value: create(GroupJoinedSchema) };
  const asked = await exchange(waits, (client) => client.joinGroup("lake"));
  assert.deepEqual(asked.value, { joined: false, group: undefined });
});

test("a transfer whose answer was lost is not asked for again; a mute is", async () => {
  const { server, client, world } = await connected();
  server.judge = ({ command }) =>
    command.case === "transferGroup" || command.case === "muteGroupMembers"
      ? { drop: true }
      : undefined;
  const transferred = outcome(client.transferGroup("lake", "bob"));
  const muted = outcome(client.muteGroupMembers("lake", ["eve"], 60));
  await world.settle();
  server.judge = ({ command }) =>
    command.case === "muteGroupMembers" ? { answer: DONE } : undefined;
  server.cut();
  await world.pass(20_000);
  assert.equal(transferred.code, 300);
  assert.equal(server.commands("transferGroup").length, 1);
  assert.equal(muted.code, undefined);
  assert.equal(server.commands("muteGroupMembers").length, 2);
});

test("requests to join and their rejection are events", async () => {
  const { server, world, events } = await connected();
  const request = { groupId: "lake", userId: "eve", time: 3n, message: "please" };
  server.push("alice", {
    case: "joinRequest",
    value: create(JoinRequestPushSchema, request),
  });
  server.push("alice", {
    case: "joinRequest",
    value: create(JoinRequestPushSchema, { ...request, rejectedBy: "" }),
  });
  await world.settle();
  const told = { groupId: "lake", userId: "eve", time: 3, message: "please" };
  assert.deepEqual(events("joinRequest"), [
    { ...told, rejectedBy: undefined },
    // By the server API.
    { ...told, rejectedBy: "" },
  ]);
});

test("an invitation stands in the list, and counts nothing", async () => {
  const { server, client, world } = await connected();
  const conversation = create(ConversationSchema, {
    id: "g/lake",
    name: "Lake",
    member: false,
    invitation: { operator: "bob", time: 4n },
  });
  const feedPrevious = server.feed("alice");
  server.push("alice", {
    case: "conversation",
    value: create(ConversationPushSchema, {
      conversation,
      feedPrevious,
      feedVersion: feedPrevious,
    }),
  });
  await world.settle();
  const row = client.list.getSnapshot()[0];
  assert.deepEqual([row?.id, row?.member], ["g/lake", false]);
  assert.deepEqual(row?.invitation, { operator: "bob", time: 4 });
  assert.equal(client.list.unread, 0);
});

test("every kind of notice is typed", () => {
  const read = (init: MessageInitShape<typeof GroupNoticeSchema>) =>
    noticeFrom(toBinary(GroupNoticeSchema, create(GroupNoticeSchema, init)));
  const about = { operator: "a", users: ["b"], userCount: 1 };
  const plain: [Kind, string][] = [
    [Kind.CREATED, "created"],
    [Kind.ADDED, "added"],
    [Kind.REMOVED, "removed"],
    [Kind.QUIT, "quit"],
    [Kind.DISMISSED, "dismissed"],
    [Kind.TRANSFERRED, "transferred"],
    [Kind.JOINED, "joined"],
    [Kind.INVITED, "invited"],
    [Kind.DECLINED, "declined"],
    [99 as Kind, "unknown"],
  ];
  for (const [kind, name] of plain) {
    assert.deepEqual(read({ kind, ...about }), { kind: name, ...about });
  }
  const texts = { name: "N", announcement: "", portrait: "", nestedAttributes: {} };
  assert.deepEqual(read({ kind: Kind.UPDATED, ...about, changed: ["name"], name: "N" }), {
    kind: "updated",
    ...about,
    changed: ["name"],
    ...texts,
  });
  assert.deepEqual(read({ kind: Kind.ROLE_SET, ...about, role: GroupRole.ADMIN }), {
    kind: "role-set",
    ...about,
    role: "admin",
    roleName: "",
  });
  assert.deepEqual(read({ kind: Kind.ROLE_DEFINED, ...about, roleName: "guide" }), {
    kind: "role-defined",
    ...about,
    roleName: "guide",
  });
  assert.deepEqual(
    read({ kind: Kind.MEMBER_UPDATED, ...about, changed: ["nickname"], nickname: "B" }),
    { kind: "member-updated", ...about, changed: ["nickname"], nickname: "B" },
  );
  assert.deepEqual(read({ kind: Kind.MUTED, ...about, until: 8n }), {
    kind: "muted",
    ...about,
    until: 8,
  });
  assert.deepEqual(read({ kind: Kind.BANNED, ...about }), { kind: "banned", ...about, until: 0 });
  assert.deepEqual(read({ kind: Kind.EXEMPTED, ...about, changed: ["not_exempt"] }), {
    kind: "exempted",
    ...about,
    exempt: false,
  });
  assert.equal(noticeFrom(new Uint8Array([0xff])), undefined);
});
