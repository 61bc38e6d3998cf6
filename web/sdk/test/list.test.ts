import assert from "node:assert/strict";
import { test } from "node:test";

import { ConversationList } from "../src/conversation-list.js";
import { EMPTY_CONVERSATION } from "../src/store/database.js";
import type { Conversation, Message, MessageState } from "../src/types.js";
import { makeMessage } from "../src/wire.js";

const TALK = "g/team";

function row(change: Partial<Conversation> = {}): Conversation {
  return { ...EMPTY_CONVERSATION, id: TALK, ...change };
}

function message(seq: number, change: Partial<Message> = {}): Message {
  const mention = { mention: undefined, targets: [], burnAfterSeconds: 0, receiptWanted: false };
  const fields = { conversation: TALK, seq, id: `m${seq}`, sender: "bob", clientMessageId: "" };
  const made = { ...fields, ...mention, time: seq, counted: true, state: undefined };
  return { ...makeMessage(made, { type: "text", body: new Uint8Array() }), ...change };
}

function state(rev: number, change: Partial<MessageState> = {}): MessageState {
  return {
    rev,
    time: rev,
    recall: undefined,
    edit: undefined,
    expansion: [],
    reactions: [],
    ...change,
  };
}

const recall = { operator: "bob", time: 1, burned: false };
const all = { all: true, users: [], overridesMute: false };

function filled(): ConversationList {
  const list = new ConversationList();
  list.put(row({ headSeq: 3, unread: 3 }));
  list.message(message(4), "alice");
  list.message(message(5, { mention: all }), "alice");
  return list;
}

const counts = (list: ConversationList) => {
  const { unread, unreadMentions, readSeq } = list.get(TALK) ?? row();
  return [unread, unreadMentions, readSeq];
};

test("messages count, and mentions by themselves", () => {
  const list = filled();
  assert.deepEqual(counts(list), [5, 1, 0]);
  list.message(message(6, { sender: "alice", mention: all }), "alice");
  list.message(message(7, { counted: false }), "alice");
  list.message(message(8, { mention: { ...all, all: false, users: ["eve"] } }), "alice");
  list.message(message(9, { counted: false, mention: all }), "alice");
  assert.deepEqual(counts(list), [6, 2, 0]);
  assert.equal(list.unread, 6);
});

test("of two read positions the higher one holds, in whatever order they come", () => {
  const list = filled();
  const position = { conversation: TALK, unreadMentions: 1 };
  assert.equal(list.read({ ...position, readSeq: 4, unread: 1 }), true);
  assert.equal(list.read({ ...position, readSeq: 2, unread: 3 }), false);
  assert.equal(list.read({ ...position, readSeq: 4, unread: 1 }), false, "told twice");
  assert.deepEqual(counts(list), [1, 1, 4]);
  list.put(row({ headSeq: 5, unread: 3, unreadMentions: 1, readSeq: 2 }));
  assert.deepEqual(counts(list), [1, 1, 4], "a row made before the reading");
  list.put(row({ headSeq: 5, unread: 0, readSeq: 5 }));
  assert.deepEqual(counts(list), [0, 0, 5]);
});

test("an older row with a later read position: what came since still counts", () => {
  const list = filled();
  list.put(row({ headSeq: 3, unread: 0, readSeq: 3 }));
  assert.deepEqual(counts(list), [2, 1, 3]);
});

test("a recalled message is unread no more, once", () => {
  const list = filled();
  const after = message(5, { mention: undefined, state: state(1, { recall }) });
  list.changed(after, "alice");
  assert.deepEqual(counts(list), [4, 0, 0]);
  list.changed(after, "alice");
  list.changed(message(5, { state: state(2, { recall }) }), "alice");
  assert.deepEqual(counts(list), [4, 0, 0]);
  assert.ok(list.get(TALK)?.newest?.state?.recall);
});

test("a change that the row already has does not count", () => {
  const list = new ConversationList();
  list.put(row({ headSeq: 5, unread: 4, rev: 3 }));
  list.changed(message(5, { state: state(3, { recall }) }), "alice");
  assert.deepEqual(counts(list), [4, 0, 0]);
});

test("what was read, or one's own, is recalled without a change of unread", () => {
  const list = filled();
  list.read({ conversation: TALK, readSeq: 4, unread: 1, unreadMentions: 1 });
  list.changed(message(4, { state: state(1, { recall }) }), "alice");
  list.changed(message(3, { sender: "alice", state: state(2, { recall }) }), "alice");
  assert.deepEqual(counts(list), [1, 1, 4]);
});

test("an edit that mentions the user counts as a mention", () => {
  const list = filled();
  list.changed(message(4, { mention: all, state: state(1) }), "alice");
  assert.deepEqual(counts(list), [5, 2, 0]);
});

test("pinned ones first; hidden ones are left out until the next message", () => {
  const list = new ConversationList();
  for (const [i, id] of ["g/a", "g/b", "g/c"].entries()) list.put(row({ id, lastTime: i }));
  list.put(row({ id: "g/a", lastTime: 0, pinned: true }));
  list.put(row({ id: "g/b", lastTime: 1, hidden: true }));
  const ids = () => list.getSnapshot().map(({ id }) => id);
  assert.deepEqual(ids(), ["g/a", "g/c"]);
  list.message(message(1, { conversation: "g/b", time: 9 }), "alice");
  assert.deepEqual(ids(), ["g/a", "g/b", "g/c"]);
});

test("a notice of another name renames the row, unless the row is of later", () => {
  const list = new ConversationList();
  list.put(row({ headSeq: 3, name: "Sea" }));
  const renamed = (seq: number, name: string, changed = ["name"]): Message => {
    const values = { name, announcement: "", portrait: "", nestedAttributes: {} };
    const about = { operator: "bob", users: [], userCount: 0 };
    return message(seq, { notice: { kind: "updated", ...about, changed, ...values } });
  };
  list.message(renamed(3, "Lake"), "alice");
  assert.equal(list.get(TALK)?.name, "Sea");
  list.message(renamed(4, "Marsh"), "alice");
  list.message(renamed(5, "", ["announcement"]), "alice");
  assert.equal(list.get(TALK)?.name, "Marsh");
});
