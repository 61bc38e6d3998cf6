import assert from "node:assert/strict";
import { test } from "node:test";

import type { Conversation, Message } from "@anser-im/sdk";

import { mentionIn, noticeText, previewOf, previewOfRow, titleOf } from "../src/format.js";
import { WORDS } from "../src/i18n.js";
import { invitationLink, readInvitation, someoneElse, splitNames } from "../src/identity.js";

const { en, zh } = WORDS;

function message(change: Partial<Message>): Message {
  return {
    conversation: "g/team",
    seq: 1,
    id: "m",
    sender: "bob",
    clientMessageId: "",
    time: 0,
    content: { type: "text", body: new Uint8Array() },
    text: undefined,
    notice: undefined,
    counted: true,
    mention: undefined,
    targets: [],
    burnAfterSeconds: 0,
    receiptWanted: false,
    state: undefined,
    ...change,
  };
}

test("a link opens a tab as somebody, whatever the name", () => {
  for (const name of ["bob", "小雁", "a&b=c", "100% / sure#1"]) {
    assert.deepEqual(readInvitation(invitationLink(name, "me too")), { as: name, with: "me too" });
  }
  assert.deepEqual(readInvitation(""), { as: undefined, with: undefined });
});

test("the second window is never the first one's person", () => {
  for (const language of ["en", "zh"]) {
    for (const me of ["alice", "bob", "小鸿", "阿雁"])
      assert.notEqual(someoneElse(me, language), me);
  }
});

test("names as people type them", () => {
  assert.deepEqual(splitNames(" bob, carol，dave、 eve ;bob\n"), ["bob", "carol", "dave", "eve"]);
  assert.deepEqual(splitNames("  "), []);
});

test("a conversation is called by what it is to the reader", () => {
  assert.equal(titleOf("p/alice/bob", "", "alice", en), "bob");
  assert.equal(titleOf("p/alice/alice", "", "alice", zh), "写给自己");
  assert.equal(titleOf("g/team", "Team", "alice", en), "Team");
  assert.equal(titleOf("g/a%2Fb", "", "alice", en), "a/b");
});

test("notices read as sentences, and long ones are cut", () => {
  const users = ["bob", "alice", "c", "d", "e", "f", "g"];
  const notice = { kind: "created", operator: "bob", users, userCount: 300 } as const;
  const created = message({ notice });
  assert.equal(
    noticeText(created, en, "alice"),
    "bob created the group with you, c, d, e, f, 294 more",
  );
  assert.equal(noticeText(created, zh, "x"), "bob创建了群聊，成员有alice、c、d、e、f、另外 294 人");
  const quit = message({
    notice: { kind: "quit", operator: "alice", users: ["alice"], userCount: 1 },
  });
  assert.equal(noticeText(quit, en, "alice"), "You left");
});

test("the preview says who, where it is not plain", () => {
  const row: Conversation = {
    id: "g/team",
    name: "Team",
    headSeq: 1,
    newest: message({ text: "hi" }),
    lastTime: 0,
    unread: 0,
    unreadMentions: 0,
    readSeq: 0,
    firstSeq: 1,
    rev: 0,
    deletedVersion: 0,
    member: true,
    invitation: undefined,
    pinned: false,
    muted: "none",
    hidden: false,
    marks: [],
    draft: "",
  };
  assert.equal(previewOfRow(row, en, "alice"), "bob: hi");
  assert.equal(previewOfRow(row, en, "bob"), "You: hi");
  assert.equal(previewOfRow({ ...row, id: "p/alice/bob" }, en, "alice"), "hi");
  assert.equal(
    previewOfRow(
      { ...row, newest: message({ content: { type: "app.x", body: new Uint8Array() } }) },
      en,
      "bob",
    ),
    "You: A message of type app.x",
  );
});

test("both languages say everything", () => {
  assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
});

test("mentions as people type them", () => {
  const members = ["bob", "小林", "alice"];
  assert.deepEqual(mentionIn("@bob, look", members), { all: false, users: ["bob"] });
  assert.deepEqual(mentionIn("你好@小林，@所有人", members), { all: true, users: ["小林"] });
  assert.deepEqual(mentionIn("@all!", members), { all: true, users: [] });
  assert.equal(mentionIn("mail bob@example.org", members), undefined);
  assert.equal(mentionIn("hello bob", members), undefined);
});

test("a message that was taken back says who did it, not what it said", () => {
  const recall = { operator: "bob", time: 1, burned: false };
  const none = { edit: undefined, expansion: [], reactions: [] };
  const gone = message({ text: "secret", state: { rev: 1, time: 1, recall, ...none } });
  assert.equal(previewOf(gone, en, "alice"), "bob took back a message");
  assert.equal(previewOf(gone, zh, "bob"), "我撤回了一条消息");
});

test("a notice of every kind says what happened", () => {
  const about = { operator: "bob", users: ["alice"], userCount: 1 };
  const named = {
    changed: ["name"],
    name: "Lake",
    announcement: "",
    portrait: "",
    nestedAttributes: {},
  };
  const said: [NonNullable<Message["notice"]>, string, string][] = [
    [{ kind: "joined", ...about, operator: "" }, "you joined", "我加入了群聊"],
    [{ kind: "transferred", ...about }, "bob made you the owner", "bob将群主转让给我"],
    [{ kind: "updated", ...about, ...named }, "bob named the group Lake", "bob将群名改为Lake"],
    [
      { kind: "updated", ...about, ...named, changed: ["announcement"], announcement: "Hi" },
      "bob announced: Hi",
      "bob发布了公告：Hi",
    ],
    [
      { kind: "role-set", ...about, role: "admin", roleName: "" },
      "bob made you admin",
      "bob将我设为管理员",
    ],
    [
      { kind: "role-set", ...about, role: "member", roleName: "guide" },
      "bob gave you the role guide",
      "bob授予我角色guide",
    ],
    [{ kind: "muted", ...about, until: 9 }, "bob muted you", "bob禁言了我"],
    [{ kind: "muted", ...about, until: 0 }, "bob unmuted you", "bob解除了我的禁言"],
    [{ kind: "banned", ...about, until: 9 }, "bob banned you", "bob封禁了我"],
    [{ kind: "invited", ...about }, "bob invited you", "bob向我发出了邀请"],
  ];
  for (const [notice, english, chinese] of said) {
    assert.equal(noticeText(message({ notice }), en, "alice"), english);
    assert.equal(noticeText(message({ notice }), zh, "alice"), chinese);
  }
});
