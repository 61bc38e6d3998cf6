/** The live room of the demo page: a moderator and three members, in Chromium. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser, BrowserContextOptions } from "playwright-core";

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

/** Somebody in front of a live room. */
class Viewer {
  constructor(
    readonly person: Person,
    readonly name: string,
  ) {}

  static async enter(
    name: string,
    room: string,
    options: BrowserContextOptions = {},
  ): Promise<Viewer> {
    const link = `${server.demoUrl}#${new URLSearchParams({ as: name, live: room })}`;
    const person = await Person.arrive(browser, link, options);
    const viewer = new Viewer(person, name);
    await person.page.locator(".live-count:enabled").waitFor();
    return viewer;
  }

  get page() {
    return this.person.page;
  }

  async say(text: string): Promise<void> {
    await this.page.locator(".live-composer input").fill(text);
    await this.page.keyboard.press("Enter");
  }

  async hears(text: string): Promise<void> {
    await this.page.getByRole("log").getByText(text, { exact: true }).waitFor();
  }

  async hearsNoMore(text: string): Promise<void> {
    await this.page
      .getByRole("log")
      .getByText(text, { exact: true })
      .waitFor({ state: "detached" });
  }

  async counts(members: number): Promise<void> {
    await this.page.locator(`.live-count[data-count="${members}"]`).waitFor();
  }

  async sits(seat: number, user: string | undefined): Promise<void> {
    const who = user === undefined ? ":not([data-user])" : `[data-user="${user}"]`;
    await this.page.locator(`[data-seat="${seat}"]${who}`).waitFor();
  }

  /** Opens the actions beside a message and takes one. */
  async act(text: string, action: string): Promise<void> {
    const line = this.page.locator(".live-line", { hasText: text });
    await line.getByRole("button", { name: /^Actions/ }).click();
    await line.getByRole("button", { name: action, exact: true }).click();
  }

  async people(): Promise<void> {
    await this.page.locator(".live-count").click();
  }

  async leave(): Promise<void> {
    assert.deepEqual(this.person.errors, [], this.name);
    await this.person.context.close();
  }
}

async function lake(room: string): Promise<[Viewer, Viewer, Viewer, Viewer]> {
  // Who comes first opens the room and moderates it.
  const mod = await Viewer.enter("mod", room);
  const [ann, ben, carl] = await Promise.all(
    ["ann", "ben", "carl"].map((name) => Viewer.enter(name, room)),
  );
  assert.ok(ann && ben && carl);
  await Promise.all([mod, ann, ben, carl].map((one) => one.counts(4)));
  return [mod, ann, ben, carl];
}

test("words, gifts and likes reach everybody, and fly over the picture", async () => {
  const all = await lake("lake");
  const [mod, ann, ben, carl] = all;
  await ann.say("what a view");
  await Promise.all(all.map((one) => one.hears("what a view")));
  await carl.page.locator(".live-flying-text", { hasText: "what a view" }).waitFor();
  await ben.page.getByRole("button", { name: "Send a gift: wild goose" }).click();
  await Promise.all(all.map((one) => one.page.locator(".live-line-gift").waitFor()));
  await carl.page.getByRole("button", { name: "Like", exact: true }).click();
  await Promise.all(all.map((one) => one.page.locator('.live-likes[data-likes="1"]').waitFor()));
  await ann.act("what a view", "Take back");
  await Promise.all(all.map((one) => one.hearsNoMore("what a view")));
  await mod.hears("ann's message was taken back");
  const dora = await Viewer.enter("dora", "lake");
  await dora.hears("ann's message was taken back");
  await dora.page.locator(".live-line-gift").waitFor();
  for (const one of [...all, dora]) await one.leave();
});

test("microphone seats: taken once, changed, freed by the moderator and by leaving", async () => {
  const all = await lake("marsh");
  const [mod, ann, ben, carl] = all;
  await ann.page.getByRole("button", { name: "Take seat 1" }).click();
  await Promise.all(all.map((one) => one.sits(1, "ann")));
  assert.ok(await ben.page.locator('[data-seat="1"] button').isDisabled(), "it is ann's");
  await ann.page.getByRole("button", { name: "Take seat 2" }).click();
  await Promise.all(all.map((one) => one.sits(2, "ann")));
  await ben.sits(1, undefined);
  await ben.page.getByRole("button", { name: "Take seat 1" }).click();
  await Promise.all(all.map((one) => one.sits(1, "ben")));
  await mod.page.getByRole("button", { name: "Take ann off seat 2" }).click();
  await Promise.all(all.map((one) => one.sits(2, undefined)));
  await ben.page.getByRole("button", { name: "Back to the conversations" }).click();
  await ben.page.getByRole("heading", { name: "Conversations" }).waitFor();
  await Promise.all([mod, ann, carl].map((one) => one.sits(1, undefined)));
  await Promise.all([mod, ann, carl].map((one) => one.counts(3)));
  for (const one of all) await one.leave();
});

test("the moderator mutes one, mutes all, puts somebody out and lets them in again", async () => {
  const all = await lake("pond");
  const [mod, ann, ben, carl] = all;
  await ben.say("loud");
  await mod.hears("loud");
  await mod.act("loud", "Mute");
  await ben.page.getByPlaceholder("You are muted").waitFor();
  await carl.hears("mod muted ben");
  await mod.people();
  await mod.page.locator('[data-member="ben"]').getByRole("button", { name: "Unmute" }).click();
  await ben.page.getByPlaceholder("Say something").waitFor();
  await mod.page.getByLabel("Only moderators write").click();
  await ann.page.getByPlaceholder("Only moderators write here now").waitFor();
  await mod.page.getByLabel("Only moderators write").click();
  await ann.page.getByPlaceholder("Say something").waitFor();
  assert.equal(await ann.page.locator(".live-member-actions").count(), 0);
  await mod.page.getByLabel("A word to go with it").fill("good night");
  await mod.page.locator('[data-member="ben"]').getByRole("button", { name: "Remove" }).click();
  await ben.page.getByText("You were put out of this room.").waitFor();
  await ben.page.locator("blockquote", { hasText: "good night" }).waitFor();
  await carl.hears("mod put ben out: good night");
  await carl.counts(3);
  await ben.page.getByRole("button", { name: "Enter again" }).click();
  await ben.page.getByText("can't come in yet").waitFor();
  await mod.page.locator('[data-banned="ben"]').getByRole("button").click();
  await carl.hears("mod lets ben in again: good night");
  await ben.page.getByRole("button", { name: "Enter again" }).click();
  await Promise.all(all.map((one) => one.counts(4)));
  await ben.say("sorry");
  await carl.hears("sorry");
  for (const one of all) await one.leave();
});

test("who loses the network is back by themself; a reload stays in the room", async () => {
  const room = "bay";
  const mod = await Viewer.enter("mod", room);
  const ann = await Viewer.enter("ann", room);
  await ann.page.getByRole("button", { name: "Take seat 3" }).click();
  await mod.sits(3, "ann");
  await ann.person.context.setOffline(true);
  await ann.page.getByText("You are offline").last().waitFor();
  await mod.say("meanwhile");
  await ann.person.context.setOffline(false);
  await ann.hears("meanwhile");
  await ann.sits(3, "ann");
  await ann.page.reload();
  await ann.page.locator(".live-count:enabled").waitFor();
  await ann.hears("meanwhile");
  await ann.say("still here");
  await mod.hears("still here");
  for (const one of [mod, ann]) await one.leave();
});

test("through the door, on a phone, in Chinese", async () => {
  const phone = { viewport: { width: 390, height: 800 }, locale: "zh-CN" } as const;
  const lin = await Person.arrive(browser, server.demoUrl, phone);
  await lin.signIn("小林");
  await lin.page.getByRole("button", { name: "直播间" }).click();
  await lin.page.getByLabel("直播间名称").fill("湖畔");
  await lin.page.getByRole("button", { name: "进入" }).click();
  await lin.page.locator('.live-count[data-count="1"]').waitFor();
  await lin.page.getByRole("button", { name: "上 1 号麦" }).click();
  await lin.page.locator('[data-seat="1"][data-user="小林"]').waitFor();
  await lin.page.locator(".live-composer input").fill("大家好");
  await lin.page.keyboard.press("Enter");
  await lin.page.getByRole("log").getByText("大家好").waitFor();
  const wider = await lin.page.evaluate("document.documentElement.scrollWidth > innerWidth");
  assert.equal(wider, false, "nothing hangs over the edge");
  await lin.page.getByRole("button", { name: "返回会话列表" }).click();
  await lin.page.getByRole("heading", { name: "会话" }).waitFor();
  assert.deepEqual(lin.errors, []);
  await lin.context.close();
});
