/** The other ways in: addresses without the router, base64 in text frames, several on one socket. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Server, appId, appKey, load, once } from "./server.js";

let server;
before(async () => {
  server = await Server.start();
});
after(() => server.stop());

async function chats(options) {
  const { Event, Realtime, TextMessage } = load("leancloud-realtime");
  const realtime = new Realtime({ appId, appKey, server: server.url, ...options() });
  const tom = await realtime.createIMClient();
  const jerry = await realtime.createIMClient();
  const chat = await tom.createConversation({ members: [jerry.id], unique: false });
  const heard = once(jerry, Event.MESSAGE);
  await chat.send(new TextMessage("hi"));
  assert.equal((await heard)[0].text, "hi");
  await Promise.all([tom.close(), jerry.close()]);
}

test("clients share a connection", () => chats(() => ({})));

test("base64 in text frames", () => chats(() => ({ noBinary: true })));

test("the address of the socket, without the router", () =>
  chats(() => ({ RTMServers: `${server.url.replace("http", "ws")}/any/path` })));

test("an app that has not opened the door is told so", async () => {
  const { Realtime } = load("leancloud-realtime");
  const stranger = new Realtime({ appId: "nobody", appKey, server: server.url });
  await assert.rejects(stranger.createIMClient("tom"));
});
