/** Files and the commands about people, of this SDK against the built server. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import {
  AnserClient,
  AnserError,
  MemoryDatabase,
  bodyOf,
  imageContent,
  privateWith,
} from "../src/index.js";
import { peer, until } from "./peers.js";
import { Server } from "./server.js";

const GOOSE = readFileSync(new URL("../../../scenarios/files/goose.png", import.meta.url));

let server: Server;

before(async () => {
  server = await Server.start();
});

after(() => server.remove());

const codeIs = (name: string) => (error: unknown) =>
  error instanceof AnserError && error.codeName === name;

function noise(count: number): Uint8Array<ArrayBuffer> {
  let state = 1;
  return Uint8Array.from({ length: count }, () => (state = (state * 48_271) % 2_147_483_647) & 255);
}

test("a picture: uploaded, sent, looked at by the other side", async () => {
  const [alice, bob] = await Promise.all([peer(server, "alice"), peer(server, "bob")]);
  const file = await alice.client.media.upload(GOOSE, { name: "../goose.png" });
  assert.deepEqual(
    [file.name, file.contentType, file.width, file.height, file.bytes],
    ["goose.png", "image/png", 640, 480, GOOSE.length],
  );
  const talk = privateWith("alice", "bob");
  await alice.client.send(talk, imageContent(file));
  await until("it came", () => bob.messages.length === 1);
  const [message] = bob.messages;
  assert.ok(message);
  const media = bodyOf(message.content, "image")?.media ?? "";
  const whole = await fetch(await bob.client.media.url(media));
  assert.deepEqual(Buffer.from(await whole.arrayBuffer()), GOOSE);
  const small = await fetch(await bob.client.media.thumbnailUrl(media));
  assert.equal(small.headers.get("content-type"), "image/jpeg");
  await assert.rejects(bob.client.media.remove(media), codeIs("NOT_FOUND"));
  await alice.client.media.remove(media);
  assert.equal((await fetch(file.url)).status, 404);
  for (const { client } of [alice, bob]) client.close();
});

test("a large file goes in pieces, and on where another client of the database was", async () => {
  const all = noise(3_000_000);
  const database = new MemoryDatabase();
  const open = (): AnserClient =>
    new AnserClient({
      url: server.ws,
      token: () => server.token("carl"),
      deviceId: "d",
      database,
    });
  const file = (): File => new File([all], "noise.bin", { lastModified: 1 });
  const first = open();
  const giveUp = new AbortController();
  const { signal } = giveUp;
  const onProgress = (sent: number): void => {
    if (sent > 1_000_000) giveUp.abort();
  };
  await assert.rejects(first.media.upload(file(), { signal, onProgress }), codeIs("ABORTED"));
  first.close();
  const second = open();
  const told: number[] = [];
  const done = await second.media.upload(file(), { onProgress: (sent) => told.push(sent) });
  assert.ok((told[1] ?? 0) > 1_000_000, `it began at ${told[1]}`);
  const back = await fetch(done.url);
  assert.deepEqual(new Uint8Array(await back.arrayBuffer()), all);
  assert.equal(done.thumbnailUrl, undefined);
  assert.equal(await second.media.thumbnailUrl(done.media), done.url);
  second.close();
});

test("the server is killed in the middle of an upload, which then goes on", async () => {
  const all = noise(2_500_000);
  const dora = await peer(server, "dora");
  let killed: Promise<void> | undefined;
  const done = await dora.client.media.upload(new File([all], "n.bin"), {
    onProgress: (sent) => {
      if (sent > 0) killed ??= server.kill().then(() => server.restart());
    },
  });
  await killed;
  const back = await fetch(done.url);
  assert.deepEqual(new Uint8Array(await back.arrayBuffer()), all);
  dora.client.close();
});

test("lists, presence and created conversations are what the protocol says", async () => {
  await server.settings(server.app.key, { presence: true });
  const [eva, fay] = await Promise.all([peer(server, "eva"), peer(server, "fay")]);
  await eva.client.updateRelations("blocked", { add: ["fay"] });
  const talk = privateWith("eva", "fay");
  await assert.rejects(fay.client.send(talk, "hello"), codeIs("BLOCKED"));
  assert.deepEqual((await eva.client.relations("blocked")).users, ["fay"]);
  let online: boolean | undefined;
  eva.client.on("presence", (presence) => (online = presence.online));
  await until("presence is on", async () => {
    const [fays] = await eva.client.subscribePresence(["fay"], 60).catch(() => []);
    return fays?.online === true;
  });
  fay.client.disconnect();
  await until("fay is away", () => online === false);
  const game = await eva.client.createConversation({
    name: "Chess",
    members: ["fay"],
    attributes: { game: { round: 1 } },
    unique: true,
  });
  const again = await eva.client.createConversation({ members: ["fay"], unique: true });
  assert.deepEqual([game.reused, again.reused], [false, true]);
  assert.equal(again.conversation, game.conversation);
  const now = await eva.client.updateCreatedConversation(game.conversation, {
    setAttributes: { "game.round": 2 },
  });
  assert.deepEqual(now.attributes, { game: { round: 2 } });
  await eva.client.send(game.conversation, "大雁");
  await until("it is found", async () => {
    const page = await eva.client.searchMessages({ query: "雁" });
    return page.messages[0]?.conversation === game.conversation;
  });
  await eva.client.leaveConversation(game.conversation);
  await assert.rejects(eva.client.send(game.conversation, "x"), codeIs("NOT_A_MEMBER"));
  for (const { client } of [eva, fay]) client.close();
});
