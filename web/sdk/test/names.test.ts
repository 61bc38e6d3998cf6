import assert from "node:assert/strict";
import { test } from "node:test";

import { group, parseConversation, peerOf, privateWith } from "../src/conversation.js";
import { AnserError, actionOf } from "../src/errors.js";
import { contentFrom, safeNumber } from "../src/wire.js";

test("a private chat is the same whoever starts it", () => {
  assert.equal(privateWith("bob", "alice"), "p/alice/bob");
  assert.equal(privateWith("alice", "bob"), "p/alice/bob");
  assert.equal(privateWith("me", "me"), "p/me/me");
  assert.equal(peerOf("p/alice/bob", "bob"), "alice");
  assert.equal(peerOf("p/alice/bob", "eve"), undefined);
});

test("ids are ordered by their bytes, not by UTF-16 units", () => {
  // U+FF5E is below U+1F600 in bytes and above its surrogates in units.
  assert.equal(privateWith("\u{1F600}", "\uFF5E"), "p/\uFF5E/\u{1F600}");
});

test("there is one way to write a name", () => {
  for (const name of ["p/bob/alice", "g/%41", "g/a%2f", "g/", "g/a/b", "p/a", "x/a", "", "g"]) {
    assert.throws(() => parseConversation(name), AnserError, name);
  }
  const name = group("a/b%");
  assert.equal(name, "g/a%2Fb%25");
  assert.deepEqual(parseConversation(name), { kind: "group", group: "a/b%" });
  assert.deepEqual(parseConversation(privateWith("%2F", "/")), {
    kind: "private",
    users: ["%2F", "/"].sort((a, b) => (a < b ? -1 : 1)),
  });
});

test("ids have 1 to 64 bytes", () => {
  assert.throws(() => group("é".repeat(33)), AnserError);
  assert.throws(() => group(""), AnserError);
  assert.equal(group("é".repeat(32)).length, 34);
});

test("the range of a code decides, known or not", () => {
  const actions = [1999, 2999, 3999, 4999, 77, 5000].map(actionOf);
  assert.deepEqual(actions, [
    "retry",
    "renew-token",
    "give-up",
    "signed-out",
    "give-up",
    "give-up",
  ]);
});

test("a number beyond 2^53 is refused, not rounded", () => {
  assert.equal(safeNumber(2n ** 53n - 1n), Number.MAX_SAFE_INTEGER);
  assert.throws(() => safeNumber(2n ** 53n), AnserError);
});

test("content: a text, or a type with text or bytes", () => {
  const bytes = new TextEncoder().encode("雁");
  assert.deepEqual(contentFrom("雁"), { type: "text", body: bytes });
  assert.deepEqual(contentFrom({ type: "x.y", body: bytes }), { type: "x.y", body: bytes });
});
