/** The demo page of the built server in Chromium: people chat, drop out, come back. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser } from "playwright-core";

import { Server } from "../sdk/e2e/server.js";
import { Person, launch } from "./browser.js";

let server: Server;
let browser: Browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  const page = await (await fetch(server.demoUrl)).text();
  assert.match(page, /id="root"/, "the server was built without the page: `npm run build` first");
});

after(async () => {
  await browser?.close();
  await server?.remove();
});

test("two people chat; one goes offline and catches up; the server is killed in between", async () => {
  const [ann, ben] = await Promise.all([
    Person.arrive(browser, server.demoUrl),
    Person.arrive(browser, server.demoUrl),
  ]);
  await Promise.all([ann.signIn("ann"), ben.signIn("ben")]);
  await ann.talkTo("ben");
  await ann.say("Good morning");
  await ben.unread("ann", 1);
  await ben.open("ann");
  await ben.unread("ann", 0);
  await ben.say("Morning!");
  await Promise.all([ann, ben].map((one) => one.sees(["Good morning", "Morning!"])));

  await ben.context.setOffline(true);
  await ben.page.getByText("You are offline").last().waitFor();
  for (const text of ["1", "2", "3"]) await ann.say(text);
  await ann.sees(["Good morning", "Morning!", "1", "2", "3"]);
  await ben.say("from the tunnel");
  await ben.page.locator('[data-state="sending"]').waitFor();
  assert.deepEqual(await ben.texts(), ["Good morning", "Morning!"]);
  await ben.context.setOffline(false);
  const caughtUp = ["Good morning", "Morning!", "1", "2", "3", "from the tunnel"];
  await Promise.all([ann, ben].map((one) => one.sees(caughtUp)));

  await server.kill();
  await ann.page.locator(".banner").waitFor();
  await ann.say("while it was down");
  await ann.page.locator('[data-state="sending"]').waitFor();
  await server.restart();
  const all = [...caughtUp, "while it was down"];
  await Promise.all([ann, ben].map((one) => one.sees(all)));
  await ben.say("nothing lost");
  await Promise.all([ann, ben].map((one) => one.sees([...all, "nothing lost"])));

  await ben.page.reload();
  await ben.connected();
  await ben.open("ann");
  await ben.sees([...all, "nothing lost"]);
  for (const one of [ann, ben]) {
    assert.deepEqual(one.errors, []);
    await one.context.close();
  }
});

test("unread counts: while elsewhere, after a reload, across a restart", async () => {
  const [cid, dee] = await Promise.all([
    Person.arrive(browser, server.demoUrl),
    Person.arrive(browser, server.demoUrl),
  ]);
  await Promise.all([cid.signIn("cid"), dee.signIn("dee")]);
  await dee.talkTo("eli");
  await cid.talkTo("dee");
  await cid.say("1");
  await cid.say("2");
  await dee.unread("cid", 2);
  assert.match(await dee.page.title(), /^\(2\)/);
  await dee.page.reload();
  await dee.unread("cid", 2);
  await server.kill();
  await server.restart();
  await cid.connected();
  await cid.say("3");
  await dee.unread("cid", 3);
  await dee.open("cid");
  await dee.sees(["1", "2", "3"]);
  await dee.page.locator(".divider-new").waitFor();
  await dee.unread("cid", 0);
  await dee.page.reload();
  await dee.unread("cid", 0);
  for (const one of [cid, dee]) {
    assert.deepEqual(one.errors, []);
    await one.context.close();
  }
});

test("a second window is someone else, in the same browser", async () => {
  const first = await Person.arrive(browser, server.demoUrl);
  await first.signIn("flo");
  const opened = first.context.waitForEvent("page");
  await first.page.getByRole("link", { name: "Open a second window as bob" }).click();
  const second = new Person(await opened, first.context);
  await second.connected();
  await second.page.getByRole("textbox", { name: "Write to flo" }).waitFor();
  assert.equal(await second.page.locator(".me-name").textContent(), "bob");
  await second.say("hello from the other window");
  await first.sees(["hello from the other window"]);
  await second.page.reload();
  await second.connected();
  assert.equal(await second.page.locator(".me-name").textContent(), "bob");
  assert.equal(await first.page.locator(".me-name").textContent(), "flo");
  await first.context.close();
});

test("a group: made, joined, talked in, left", async () => {
  const [gus, hal] = await Promise.all([
    Person.arrive(browser, server.demoUrl),
    Person.arrive(browser, server.demoUrl),
  ]);
  await Promise.all([gus.signIn("gus"), hal.signIn("hal")]);
  await gus.page.getByRole("button", { name: "New conversation" }).click();
  await gus.page.getByText("Group", { exact: true }).click();
  await gus.page.getByLabel("Group name").fill("Reed beds");
  await gus.page.getByLabel("Members").fill("hal, ida");
  await gus.page.getByRole("button", { name: "Create group" }).click();
  await gus.say("Welcome");
  await hal.unread("Reed beds", 1);
  await hal.open("Reed beds");
  await hal.page.getByText("gus created the group with you, ida").waitFor();
  await hal.say("Thanks");
  await gus.sees(["Welcome", "Thanks"]);
  await hal.page.getByRole("button", { name: "Group details" }).click();
  await hal.page.getByText("3 members").waitFor();
  await hal.page.getByRole("button", { name: "Leave group" }).click();
  await hal.page.getByText("You are no longer in this group.").waitFor();
  await gus.page.getByRole("log").getByText("hal left").waitFor();
  for (const one of [gus, hal]) {
    assert.deepEqual(one.errors, []);
    await one.context.close();
  }
});

test("older messages are loaded on the way up, and the place is kept", async () => {
  const ivy = await Person.arrive(browser, server.demoUrl);
  await ivy.signIn("ivy");
  await ivy.talkTo("jon");
  for (let i = 1; i <= 120; i++) await ivy.say(String(i));
  await ivy.page.locator('[data-seq="120"]').waitFor();
  await ivy.page.reload();
  await ivy.open("jon");
  await ivy.page.locator('[data-seq="120"]').waitFor();
  assert.equal(await ivy.page.locator('[data-seq="1"]').count(), 0);
  const scroller = ivy.page.locator(".messages");
  for (let i = 0; i < 100 && (await ivy.page.locator('[data-seq="1"]').count()) === 0; i++) {
    // Looked at and scrolled in one, lest a page comes between.
    await scroller.evaluate((element) => {
      if (!element.querySelector('[data-seq="1"]')) element.scrollTop = 0;
    });
    await ivy.page.waitForTimeout(100);
  }
  assert.equal((await ivy.texts()).length, 120);
  const fromTop = await scroller.evaluate((element) => element.scrollTop);
  assert.ok(fromTop > 0, "older messages came above what was seen");
  await ivy.page.getByRole("button", { name: "Jump to the newest message" }).click();
  await ivy.page.locator('[data-seq="120"]').waitFor({ state: "visible" });
  await ivy.context.close();
});

test("in Chinese, on a phone, in the dark", async () => {
  const phone = {
    viewport: { width: 390, height: 800 },
    locale: "zh-CN",
    colorScheme: "dark",
  } as const;
  const lin = await Person.arrive(browser, server.demoUrl, phone);
  await lin.page.getByText("鸿雁传书，字字必达。").waitFor();
  await lin.signIn("小林");
  await lin.page.getByRole("button", { name: "新会话" }).click();
  await lin.page.getByLabel("对方的名字").fill("阿青");
  await lin.page.getByRole("button", { name: "开始聊天" }).click();
  await lin.say("你好，阿青");
  await lin.sees(["你好，阿青"]);
  assert.equal(await lin.page.locator(".sidebar").isVisible(), false);
  await lin.page.getByRole("button", { name: "返回会话列表" }).click();
  await lin.page.getByText("我: 你好，阿青").waitFor();
  const wider = await lin.page.evaluate("document.documentElement.scrollWidth > innerWidth");
  assert.equal(wider, false, "nothing hangs over the edge");
  assert.equal(await lin.page.evaluate("document.documentElement.lang"), "zh-CN");
  await lin.page.getByRole("button", { name: "Switch to English" }).click();
  await lin.page.getByRole("heading", { name: "Conversations" }).waitFor();
  assert.deepEqual(lin.errors, []);
  await lin.context.close();
});
