/** What becomes of messages and conversations on the demo page, in Chromium. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser } from "playwright-core";

import { Server } from "../sdk/e2e/server.js";
import { Person, launch } from "./browser.js";

let server: Server;
let browser: Browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

async function pair(one: string, other: string): Promise<[Person, Person]> {
  const [a, b] = await Promise.all([
    Person.arrive(browser, server.demoUrl),
    Person.arrive(browser, server.demoUrl),
  ]);
  await Promise.all([a.signIn(one), b.signIn(other)]);
  await a.talkTo(other);
  return [a, b];
}

async function leave(...people: Person[]): Promise<void> {
  for (const one of people) {
    assert.deepEqual(one.errors, []);
    await one.context.close();
  }
}

test("edit, react, take back: both see it, also the one who was away", async () => {
  const [ann, ben] = await pair("ann", "ben");
  for (const text of ["one", "two", "three"]) await ann.say(text);
  await ben.open("ann");
  await ben.sees(["one", "two", "three"]);
  await ann.act(1, "Edit");
  await ann.page.locator(".composer-editing").waitFor();
  await ann.say("ONE");
  await Promise.all([ann, ben].map((one) => one.sees(["ONE", "two", "three"])));
  await ben.page.locator('[data-seq="1"]').getByText("edited").waitFor({ state: "attached" });
  await ben.act(2, "React with 👍");
  for (const one of [ann, ben]) {
    await one.page.locator('[data-seq="2"] .reaction', { hasText: "👍 1" }).waitFor();
  }
  await ann.page.locator('[data-seq="2"] .reaction').click();
  await ben.page.locator('[data-seq="2"] .reaction', { hasText: "👍 2" }).waitFor();
  await ben.context.setOffline(true);
  await ben.page.getByText("You are offline").last().waitFor();
  await ann.act(3, "Take back");
  await ann.page.getByRole("log").getByText("You took back a message").waitFor();
  await ben.context.setOffline(false);
  await ben.page.getByRole("log").getByText("ann took back a message").waitFor();
  await Promise.all([ann, ben].map((one) => one.sees(["ONE", "two"])));
  await leave(ann, ben);
});

test("taking back an unread message lowers the badge", async () => {
  const [cid, dee] = await pair("cid", "dee");
  await cid.say("1");
  await cid.say("2");
  await dee.unread("cid", 2);
  await cid.act(2, "Take back");
  await dee.unread("cid", 1);
  await dee.page.reload();
  await dee.unread("cid", 1);
  await leave(cid, dee);
});

test("ticks: sent, delivered, read; and what one deletes is gone for oneself only", async () => {
  const [kai, lea] = await pair("kai", "lea");
  await kai.say("1");
  await kai.say("2");
  await kai.page.locator('[data-seq="2"]').getByRole("img", { name: "Delivered" }).waitFor();
  await lea.open("kai");
  await kai.page.locator('[data-seq="2"]').getByRole("img", { name: "Read" }).waitFor();
  await kai.page.reload();
  await kai.open("lea");
  await kai.page.locator('[data-seq="2"]').getByRole("img", { name: "Read" }).waitFor();
  await lea.act(1, "Delete for me");
  await lea.sees(["2"]);
  await lea.page.reload();
  await lea.open("kai");
  await lea.sees(["2"]);
  await kai.sees(["1", "2"]);
  await leave(kai, lea);
});

test("a mention has a badge of its own, and is read with the message", async () => {
  const [eva, fay] = await Promise.all([
    Person.arrive(browser, server.demoUrl),
    Person.arrive(browser, server.demoUrl),
  ]);
  await Promise.all([eva.signIn("eva"), fay.signIn("fay")]);
  await eva.page.getByRole("button", { name: "New conversation" }).click();
  await eva.page.getByText("Group", { exact: true }).click();
  await eva.page.getByLabel("Group name").fill("Marsh");
  await eva.page.getByLabel("Members").fill("fay");
  await eva.page.getByRole("button", { name: "Create group" }).click();
  await eva.say("hello");
  await eva.say("@fay look");
  await fay.unread("Marsh", 2);
  await fay.page.locator('[data-mentions="1"]').waitFor();
  await fay.open("Marsh");
  await fay.page.locator("[data-mentions]").waitFor({ state: "detached" });
  await leave(eva, fay);
});

test("pinned, muted, cleared, removed: on all of one's windows, and after a reload", async () => {
  const [gus, hal] = await pair("gus", "hal");
  await gus.say("1");
  await gus.actOnConversation("Pin");
  await gus.page.locator(".row").getByRole("img", { name: "Pinned" }).waitFor();
  await gus.actOnConversation("Mute");
  await gus.page.locator(".row").getByRole("img", { name: "Muted" }).waitFor();
  const other = await Person.arrive(browser, server.demoUrl);
  await other.signIn("gus");
  await other.page.locator(".row").getByRole("img", { name: "Pinned" }).waitFor();
  await gus.actOnConversation("Clear history");
  await gus.sees([]);
  await gus.actOnConversation("Remove from the list");
  for (const one of [gus, other]) await one.page.locator(".row").waitFor({ state: "detached" });
  await hal.open("gus");
  await hal.say("still there?");
  await gus.unread("hal", 1);
  await other.unread("hal", 1);
  await leave(gus, hal, other);
});

test("a draft and a message that waits outlive the page", async () => {
  const [ivy, jon] = await pair("ivy", "jon");
  await ivy.say("first");
  await ivy.sees(["first"]);
  await jon.open("ivy");
  await server.kill();
  await ivy.page.locator(".banner").waitFor();
  await ivy.say("while it was down");
  await ivy.page.locator('[data-state="sending"]').waitFor();
  await ivy.page.locator(".composer textarea").fill("half a sen");
  await server.restart();
  await ivy.page.reload();
  await jon.sees(["first", "while it was down"]);
  await ivy.connected();
  await ivy.open("jon");
  await ivy.sees(["first", "while it was down"]);
  assert.equal(await ivy.page.locator(".composer textarea").inputValue(), "half a sen");
  await ivy.context.close();
  await jon.context.close();
});

test("the actions on a phone, in Chinese", async () => {
  const phone = { viewport: { width: 390, height: 800 }, locale: "zh-CN" } as const;
  const lin = await Person.arrive(browser, server.demoUrl, phone);
  await lin.signIn("小林");
  await lin.page.getByRole("button", { name: "新会话" }).click();
  await lin.page.getByLabel("对方的名字").fill("阿青");
  await lin.page.getByRole("button", { name: "开始聊天" }).click();
  await lin.say("说错了");
  await lin.sees(["说错了"]);
  const message = lin.page.locator('[data-seq="1"]');
  await message.getByRole("button", { name: "消息操作" }).click();
  const wider = await lin.page.evaluate("document.documentElement.scrollWidth > innerWidth");
  assert.equal(wider, false, "nothing hangs over the edge");
  await message.getByRole("menuitem", { name: "撤回" }).click();
  await lin.page.getByRole("log").getByText("我撤回了一条消息").waitFor();
  await leave(lin);
});
