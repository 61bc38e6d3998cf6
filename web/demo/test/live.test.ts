/** What is shown of a live room. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { Room, RoomMessage, RoomNotice } from "@anser-im/sdk";

import { readLive, liveLink } from "../src/identity.js";
import {
  GIFT,
  LIKE,
  LINES_MAX,
  type LiveInput,
  type LiveState,
  OUTSIDE,
  giftOf,
  live,
  silence,
} from "../src/live-state.js";
import { LIVE_WORDS, problemText } from "../src/live-words.js";

const ROOM: Room = {
  id: "lake",
  name: "Lake",
  createdTime: 1,
  memberCount: 2,
  muted: false,
  attributesVersion: 0,
  moderators: ["mod"],
  history: false,
  mutedUntil: 0,
};

function message(id: string, body: string, type = "text"): RoomMessage {
  return {
    id,
    sender: "ben",
    clientMessageId: "",
    time: 1,
    content: { type, body: new TextEncoder().encode(body) },
    text: type === "text" ? body : undefined,
    priority: "high",
    recalled: false,
  };
}

const says = (id: string, body: string, type = "text"): LiveInput => ({
  kind: "message",
  message: message(id, body, type),
});

const notice = (change: Partial<RoomNotice>): LiveInput => ({
  kind: "notice",
  notice: { kind: "unknown", operator: "mod", users: [], until: 0, extra: "", ...change },
});

const after = (...inputs: LiveInput[]): LiveState => inputs.reduce(live, OUTSIDE);

const joined = (...messages: RoomMessage[]): LiveInput => ({
  kind: "joined",
  me: "ben",
  room: ROOM,
  messages,
});

const shown = ({ lines }: LiveState): string[] =>
  lines.map((line) => {
    if (line.kind === "missed") return `missed ${line.count}`;
    if (line.kind === "notice") return line.notice.kind;
    if (line.recalled) return "recalled";
    return line.kind === "gift" ? line.gift : line.text;
  });

test("what was heard while joining comes behind what joining gave", () => {
  const state = after(
    says("2", "two"),
    { kind: "all-attributes", attributes: [attribute("seat1", "ben")] },
    { kind: "member-count", memberCount: 3 },
    joined(message("0", "", LIKE), message("1", "one")),
    says("3", "three"),
  );
  assert.deepEqual(shown(state), ["one", "two", "three"]);
  assert.equal(new Set(state.lines.map(({ key }) => key)).size, 3);
  assert.deepEqual([...state.attributes], [["seat1", "ben"]]);
  assert.deepEqual([state.memberCount, state.likes], [3, 1]);
});

function attribute(key: string, value: string) {
  return { key, value, owner: value, leaves: true };
}

test("seats follow the attributes", () => {
  const state = after(
    joined(),
    { kind: "all-attributes", attributes: [attribute("seat1", "ben"), attribute("seat2", "ann")] },
    { kind: "attributes", operator: "ann", set: [attribute("seat3", "ann")], deleted: ["seat2"] },
  );
  assert.deepEqual(Object.fromEntries(state.attributes), { seat1: "ben", seat3: "ann" });
  const all: LiveInput = { kind: "all-attributes", attributes: [] };
  assert.equal(live(state, all).attributes.size, 0);
});

test("likes are counted, gifts are lines, and what is not known is not shown", () => {
  const state = after(
    joined(),
    says("1", "", LIKE),
    says("2", '{"gift":"goose"}', GIFT),
    says("3", '{"gift":"__proto__"}', GIFT),
    says("4", "no json", GIFT),
    says("5", "?", "app.other"),
  );
  assert.deepEqual([state.likes, shown(state)], [1, ["goose"]]);
  assert.equal(giftOf({ ...message("1", '{"gift":"goose"}', GIFT), recalled: true }), undefined);
});

test("a message that is taken back is gone; others stay", () => {
  const state = after(joined(), says("1", "one"), says("2", "two"), {
    kind: "recalled",
    messageId: "1",
    operator: "ben",
  });
  assert.deepEqual(shown(state), ["recalled", "two"]);
});

test("only the newest lines are kept", () => {
  const many = Array.from({ length: LINES_MAX + 1 }, (_, i) => says(`${i}`, `${i}`));
  const state = after(joined(), ...many, { kind: "missed", count: 2 });
  assert.equal(state.lines.length, LINES_MAX);
  assert.deepEqual(shown(state).slice(-2), [`${LINES_MAX}`, "missed 2"]);
});

test("who may write: not who is muted, nor all but moderators", () => {
  const muted = after(joined(), notice({ kind: "muted", users: ["ben"] }));
  assert.deepEqual([silence(muted, "ben"), silence(muted, "ann")], ["me", undefined]);
  const free = live(muted, notice({ kind: "unmuted", users: ["ben"] }));
  assert.equal(silence(free, "ben"), undefined);
  const all = live(free, notice({ kind: "all-muted" }));
  assert.deepEqual([silence(all, "ben"), silence(all, "mod")], ["all", undefined]);
  assert.equal(silence(live(all, notice({ kind: "all-unmuted" })), "ben"), undefined);
  const told = after({ kind: "joined", me: "ben", room: { ...ROOM, muted: true }, messages: [] });
  assert.equal(silence(told, "ben"), "all");
  assert.equal(silence(live(all, { kind: "room", me: "ben", room: ROOM }), "ben"), undefined);
});

test("whether oneself is muted, the room tells", () => {
  const muted = { ...ROOM, mutedUntil: 9 };
  const state = after({ kind: "joined", me: "ben", room: muted, messages: [] });
  assert.equal(silence(state, "ben"), "me");
  const over = live(state, { kind: "room", me: "ben", room: ROOM });
  assert.equal(silence(over, "ben"), undefined);
  const other = live(over, notice({ kind: "muted", users: ["ann"] }));
  assert.ok(live(other, { kind: "room", me: "ben", room: ROOM }).muted.has("ann"));
});

test("who is kept out, until let in again", () => {
  const banned = after(joined(), notice({ kind: "banned", users: ["ben", "carl"] }));
  const lifted = live(banned, notice({ kind: "ban-lifted", users: ["ben"] }));
  assert.deepEqual([...lifted.banned], ["carl"]);
});

test("leaving, and coming back", () => {
  const left = after(joined(), says("1", "one"), { kind: "left", left: { reason: "destroyed" } });
  assert.equal(left.left?.reason, "destroyed");
  assert.deepEqual(live(left, { kind: "outside" }), OUTSIDE);
});

test("links to a live room", () => {
  for (const room of ["lake", "湖畔", "a&b=c #1"]) assert.equal(readLive(liveLink(room)), room);
  assert.deepEqual(
    [readLive("#live"), readLive(liveLink("")), readLive("#as=bob")],
    ["", "", undefined],
  );
});

test("problems have words in both languages", () => {
  for (const words of Object.values(LIVE_WORDS)) {
    assert.deepEqual(Object.keys(words.problems), Object.keys(LIVE_WORDS.en.problems));
    assert.equal(problemText({ codeName: "MUTED" }, words), words.problems.MUTED);
    assert.equal(problemText(new Error("else"), words), "else");
  }
});
