/**
 * What the guides promise, by the SDK as it is on npm. The same for every release of it: `load`
 * loads the package, each time anew, since an application has one connection a copy of it;
 * `options` says where the server is.
 */
import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { test } from "node:test";
import { appId, masterKey, once, until } from "./server.js";

const name = (who) => `${who}-${randomBytes(4).toString("hex")}`;

/** What a recalled message is by its type. */
const RECALLED = -127;

export function chapters({ load, options, server }) {
  const { Event, ConversationMemberRole } = load();

  /** A client on a connection of its own. */
  async function enter(who, ...rest) {
    const sdk = load();
    const realtime = new sdk.Realtime(options());
    const client = await realtime.createIMClient(who, ...rest);
    return Object.assign(client, { sdk, realtime });
  }
  /** So many of them. */
  const people = (...who) => Promise.all(who.map((one) => enter(name(one))));
  const close = (...clients) => Promise.all(clients.map((client) => client.close()));
  const text = (client, words) => new client.sdk.TextMessage(words);

  test("two clients chat, and the history has it", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const invited = once(jerry, Event.INVITED);
    const chat = await tom.createConversation({
      members: [jerry.id],
      name: "Tom & Jerry",
      unique: false,
      colour: "grey",
    });
    assert.match(chat.id, /^[0-9a-f]{24}$/);
    const [{ invitedBy }] = await invited;
    assert.equal(invitedBy, tom.id);
    const heard = once(jerry, Event.MESSAGE);
    const sent = await chat.send(text(tom, "Jerry, wake up!"));
    assert.equal(sent.status, tom.sdk.MessageStatus.SENT);
    const [message, same] = await heard;
    assert.equal(message.text, "Jerry, wake up!");
    assert.equal(message.id, sent.id);
    assert.equal(same.name, "Tom & Jerry");
    assert.equal(same.get("colour"), "grey");
    await chat.send(text(tom, "Hello?"));
    const history = await same.queryMessages({ limit: 10 });
    assert.deepEqual(history.map((it) => it.text), ["Jerry, wake up!", "Hello?"]);
    const pages = same.createMessagesIterator({ limit: 1 });
    const page = await pages.next();
    assert.deepEqual(page.value.map((it) => it.text), ["Hello?"]);
    const images = await same.queryMessages({ type: -2 });
    assert.equal(images.length, 0);
    await close(tom, jerry);
  });

  test("bytes, texts without a type and custom types arrive as they were sent", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const chat = await tom.createConversation({ members: [jerry.id], unique: false });
    let heard = once(jerry, Event.MESSAGE);
    await chat.send(new tom.sdk.Message("just words"));
    assert.equal((await heard)[0].content, "just words");
    heard = once(jerry, Event.MESSAGE);
    const rich = text(tom, "with attributes");
    rich.setAttributes({ mood: "good" });
    await chat.send(rich);
    assert.deepEqual((await heard)[0].attributes, { mood: "good" });
    if (tom.sdk.BinaryMessage) {
      heard = once(jerry, Event.MESSAGE);
      await chat.send(new tom.sdk.BinaryMessage(new Uint8Array([0, 7, 255]).buffer));
      const got = new Uint8Array((await heard)[0].buffer);
      assert.deepEqual([...got], [0, 7, 255]);
      const [last] = await chat.queryMessages({ limit: 1 });
      assert.deepEqual([...new Uint8Array(last.buffer)], [0, 7, 255]);
    }
    await close(tom, jerry);
  });

  test("members are added, kicked, join and quit, and everybody hears of it", async () => {
    const [tom, jerry, mary] = await people("tom", "jerry", "mary");
    const invited = once(jerry, Event.INVITED);
    const chat = await tom.createConversation({ members: [jerry.id], unique: false });
    await invited;
    const joined = once(jerry, Event.MEMBERS_JOINED, (it) => it.members.includes(mary.id));
    await chat.add([mary.id]);
    assert.equal((await joined)[0].invitedBy, tom.id);
    assert.equal(await chat.count(), 3);
    const left = once(jerry, Event.MEMBERS_LEFT);
    const kicked = once(mary, Event.KICKED);
    await chat.remove([mary.id]);
    assert.deepEqual((await left)[0].members, [mary.id]);
    assert.equal((await kicked)[0].kickedBy, tom.id);
    const hers = await mary.getConversation(chat.id);
    await hers.join();
    assert.equal(await chat.count(), 3);
    await hers.quit();
    assert.equal(await chat.count(), 2);
    await close(tom, jerry, mary);
  });

  test("attributes are changed by path, and the others get them", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const invited = once(jerry, Event.INVITED);
    const chat = await tom.createConversation({ members: [jerry.id], name: "old", unique: false });
    await invited;
    const updated = once(jerry, Event.CONVERSATION_INFO_UPDATED);
    chat.name = "new";
    chat.set("attr.pinned", true);
    await chat.save();
    const [{ attributes, updatedBy }] = await updated;
    assert.equal(attributes.name, "new");
    assert.equal(updatedBy, tom.id);
    const his = await jerry.getConversation(chat.id, true);
    assert.equal(his.name, "new");
    assert.equal(his.get("attr").pinned, true);
    await chat.mute();
    assert.equal(chat.muted, true);
    await chat.unmute();
    assert.equal(chat.muted, false);
    await close(tom, jerry);
  });

  test("conversations are found by members, attributes and patterns", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const topic = name("topic");
    const made = [];
    for (const level of [1, 2, 3]) {
      made.push(
        await tom.createConversation({ members: [jerry.id], name: `${topic}.${level}`, unique: false, level, topic }),
      );
    }
    const ids = async (query) => (await query.find()).map((it) => it.id);
    const all = await ids(tom.getQuery().equalTo("topic", topic).ascending("level"));
    assert.deepEqual(all, made.map((it) => it.id));
    const high = tom.getQuery().equalTo("topic", topic).greaterThan("level", 1).limit(1);
    assert.equal((await ids(high)).length, 1);
    assert.equal((await ids(tom.getQuery().startsWith("name", `${topic}.`))).length, 3);
    assert.equal((await ids(tom.getQuery().contains("name", `${topic}.2`))).length, 1);
    const hers = jerry.getQuery().containsMembers([jerry.id]).equalTo("topic", topic);
    assert.equal((await ids(hers)).length, 3);
    await made[1].send(text(tom, "latest"));
    const withLast = tom.getQuery().equalTo("objectId", made[1].id).withLastMessagesRefreshed();
    const [found] = await withLast.find();
    assert.equal(found.lastMessage.text, "latest");
    const compact = await tom.getQuery().equalTo("objectId", made[1].id).compact().find();
    assert.equal(compact[0].members.length, 0);
    await close(tom, jerry);
  });

  test("mentions, transient messages and receipts", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const chat = await tom.createConversation({ members: [jerry.id], unique: false });
    const heard = once(jerry, Event.MESSAGE);
    const mention = text(tom, "@jerry");
    mention.setMentionList([jerry.id]);
    await chat.send(mention);
    const [got] = await heard;
    assert.equal(got.mentioned, true);
    const typing = once(jerry, Event.MESSAGE);
    await chat.send(text(tom, "typing…"), { transient: true });
    assert.equal((await typing)[0].text, "typing…");
    assert.equal((await chat.queryMessages({ limit: 10 })).length, 1);
    const delivered = once(chat, Event.LAST_DELIVERED_AT_UPDATE);
    await chat.send(text(tom, "received?"), { receipt: true });
    await delivered;
    const read = once(chat, Event.LAST_READ_AT_UPDATE);
    const his = await jerry.getConversation(chat.id);
    await his.read();
    await read;
    await chat.fetchReceiptTimestamps();
    assert.ok(chat.lastReadAt >= chat.lastMessageAt || chat.lastReadAt instanceof Date);
    await close(tom, jerry);
  });

  test("a message is edited and recalled", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const chat = await tom.createConversation({ members: [jerry.id], unique: false });
    const heard = once(jerry, Event.MESSAGE);
    const sent = await chat.send(text(tom, "helo"));
    await heard;
    const his = await jerry.getConversation(chat.id);
    const changed = once(his, Event.MESSAGE_UPDATE);
    await chat.update(sent, text(tom, "hello"));
    assert.equal((await changed)[0].text, "hello");
    const recalled = once(his, Event.MESSAGE_RECALL);
    const mine = await chat.queryMessages({ limit: 1 });
    await chat.recall(mine[0]);
    assert.equal((await recalled)[0].type, RECALLED);
    const [last] = await his.queryMessages({ limit: 1 });
    assert.equal(last.type, RECALLED);
    await close(tom, jerry);
  });

  test("what is unread is counted for who was away, and reading is told to other devices", async () => {
    const [tom] = await people("tom");
    const jerry = name("jerry");
    const chat = await tom.createConversation({ members: [jerry], unique: false });
    await chat.send(text(tom, "one"));
    await chat.send(text(tom, "two"));
    const phone = await enter(jerry);
    const [[seen]] = await once(phone, Event.UNREAD_MESSAGES_COUNT_UPDATE);
    assert.equal(seen.unreadMessagesCount, 2);
    assert.equal(seen.lastMessage.text, "two");
    const tablet = await enter(jerry);
    const [[same]] = await once(tablet, Event.UNREAD_MESSAGES_COUNT_UPDATE);
    assert.equal(same.unreadMessagesCount, 2);
    const synced = once(tablet, Event.UNREAD_MESSAGES_COUNT_UPDATE);
    await seen.read();
    await synced;
    assert.equal(same.unreadMessagesCount, 0);
    await close(tom, phone, tablet);
  });

  test("a client that was cut off comes back and hears what it missed", async () => {
    const [tom] = await people("tom");
    const [jerry] = await people("jerry");
    const { realtime } = jerry;
    const chat = await tom.createConversation({ members: [jerry.id], unique: false });
    const reconnected = once(realtime, Event.RECONNECT);
    const unread = once(jerry, Event.UNREAD_MESSAGES_COUNT_UPDATE, ([it]) => it.unreadMessagesCount > 0);
    realtime.pause();
    await chat.send(text(tom, "are you there?"));
    realtime.resume();
    await reconnected;
    const [[seen]] = await unread;
    assert.equal(seen.id, chat.id);
    const heard = once(jerry, Event.MESSAGE);
    await chat.send(text(tom, "now?"));
    assert.equal((await heard)[0].text, "now?");
    await close(tom, jerry);
  });

  test("a will is sent when the connection is lost, and not after a logout", async () => {
    const [jerry] = await people("jerry");
    const [tom] = await people("tom");
    const { realtime } = tom;
    const chat = await tom.createConversation({ members: [jerry.id], unique: false });
    await chat.send(text(tom, "I lost my connection"), { will: true });
    const heard = once(jerry, Event.MESSAGE);
    realtime.pause();
    assert.equal((await heard)[0].text, "I lost my connection");
    await close(jerry);
  });

  test("a second device with the same tag puts the first one out", async () => {
    const id = name("tom");
    const first = await enter(id, {}, "Mobile");
    const conflict = once(first, Event.CONFLICT);
    const second = await enter(id, {}, "Mobile");
    await conflict;
    const web = await enter(id, {}, "Web");
    assert.deepEqual(await web.ping([id, "nobody"]), [id]);
    await close(second, web);
  });

  test("a login that has to be signed is, or is refused", async () => {
    await server().open({ sign_login: true });
    try {
      const sign = (key) => (clientId) => {
        const timestamp = Date.now();
        const nonce = "n";
        const words = [appId, clientId, "", timestamp, nonce].join(":");
        const signature = createHmac("sha1", key).update(words).digest("hex");
        return { timestamp, nonce, signature };
      };
      const good = { signatureFactory: sign(masterKey) };
      const realtime = new (load().Realtime)(options());
      const bad = realtime.createIMClient(name("tom"), { signatureFactory: sign("wrong") });
      await assert.rejects(bad, (error) => error.code === 4102);
      // Who was refused has not spoilt the connection; with its last client it is closed.
      const tom = await realtime.createIMClient(name("tom"), good);
      await close(tom);
    } finally {
      await server().open({});
    }
  });

  test("a chat room counts who is in it and forgets who left", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const room = await tom.createChatRoom({ name: "hall" });
    assert.equal(await room.count(), 1);
    const his = await jerry.getConversation(room.id);
    await his.join();
    assert.equal(await room.count(), 2);
    const heard = once(jerry, Event.MESSAGE);
    await room.send(text(tom, "welcome"), { priority: 1 });
    assert.equal((await heard)[0].text, "welcome");
    await jerry.close();
    await until("the room is smaller", async () => (await room.count()) === 1);
    await close(tom);
  });

  test("unique and temporary conversations are the same for the same members", async () => {
    const [tom, jerry] = await people("tom", "jerry");
    const one = await tom.createConversation({ members: [jerry.id], unique: true });
    const other = await jerry.createConversation({ members: [tom.id], unique: true });
    assert.equal(one.id, other.id);
    const passing = await tom.createTemporaryConversation({ members: [jerry.id], ttl: 60 });
    assert.match(passing.id, /^_tmp:/);
    const heard = once(jerry, Event.MESSAGE);
    await passing.send(text(tom, "for now"));
    const [, his] = await heard;
    assert.equal(his.id, passing.id);
    await close(tom, jerry);
  });

  test("owners and managers silence and block", async () => {
    const [tom, jerry, mary] = await people("tom", "jerry", "mary");
    const chat = await tom.createConversation({ members: [jerry.id, mary.id], unique: false });
    await chat.updateMemberRole(jerry.id, ConversationMemberRole.MANAGER);
    const hers = await mary.getConversation(chat.id);
    const his = await jerry.getConversation(chat.id);
    const muted = once(mary, Event.MUTED);
    await his.muteMembers([mary.id]);
    await muted;
    await assert.rejects(hers.send(text(mary, "but")), (error) => error.code === 4563);
    assert.deepEqual((await his.queryMutedMembers()).results, [mary.id]);
    await his.unmuteMembers([mary.id]);
    const blocked = once(mary, Event.BLOCKED);
    await his.blockMembers([mary.id]);
    await blocked;
    assert.deepEqual((await his.queryBlockedMembers()).results, [mary.id]);
    const { failures } = await his.add([mary.id]);
    assert.equal(failures[0].code, 4548);
    await assert.rejects(hers.muteMembers([jerry.id]));
    await close(tom, jerry, mary);
  });
}
