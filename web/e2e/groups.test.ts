/** Groups and the search on the demo page, in Chromium. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser, Locator } from "playwright-core";

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

async function people(...names: string[]): Promise<Person[]> {
  const all = await Promise.all(names.map(() => Person.arrive(browser, server.demoUrl)));
  await Promise.all(all.map((one, i) => one.signIn(names[i] ?? "")));
  return all;
}

async function leave(all: readonly Person[]): Promise<void> {
  for (const one of all) {
    assert.deepEqual(one.errors, []);
    await one.context.close();
  }
}

async function createGroup({ page }: Person, name: string, members: string): Promise<void> {
  await page.getByRole("button", { name: "New conversation" }).click();
  await page.getByText("Group", { exact: true }).click();
  await page.getByLabel("Group name").fill(name);
  await page.getByLabel("Members").fill(members);
  await page.getByRole("button", { name: "Create group" }).click();
  await page.getByRole("textbox", { name: `Write to ${name}` }).waitFor();
}

function details({ page }: Person): Promise<void> {
  return page.getByRole("button", { name: "Group details" }).click();
}

function closeDetails({ page }: Person): Promise<void> {
  return page.getByRole("button", { name: "Close", exact: true }).click();
}

function memberOf({ page }: Person, name: string): Locator {
  return page.locator(`[data-member="${name}"]`);
}

function notice({ page }: Person, text: string): Promise<void> {
  return page.getByRole("log").getByText(text).waitFor();
}

test("roles, mutes and the announcement, seen by the others at once", async () => {
  const all = await people("ann", "ben");
  const [ann, ben] = all as [Person, Person];
  await createGroup(ann, "Lake", "ben, cid");
  await ben.open("Lake");
  await details(ann);
  await ann.page.getByLabel("Announcement").fill("Meet at nine");
  await ann.page.getByRole("button", { name: "Save" }).click();
  await ben.page.getByRole("note", { name: "Announcement" }).getByText("Meet at nine").waitFor();
  await notice(ben, "ann announced: Meet at nine");
  await memberOf(ann, "ben").getByRole("button", { name: "Make admin" }).click();
  await memberOf(ann, "ben").getByText("admin", { exact: true }).waitFor();
  await notice(ben, "ann made you admin");
  await memberOf(ann, "cid").getByRole("button", { name: "Mute" }).click();
  await memberOf(ann, "cid").getByText("muted", { exact: true }).waitFor();
  await memberOf(ann, "ben").getByRole("button", { name: "No longer admin" }).click();
  await ann.page.getByLabel("Only admins write").check();
  await closeDetails(ann);
  await ben.say("may I?");
  await ben.page.locator('[data-state="failed"]').waitFor();
  await details(ann);
  await ann.page.getByLabel("Only admins write").uncheck();
  await memberOf(ann, "cid").getByRole("button", { name: "Remove cid" }).click();
  await memberOf(ann, "cid").waitFor({ state: "detached" });
  await ann.page.getByLabel("Add people").fill("dee");
  await ann.page.getByRole("button", { name: "Add", exact: true }).click();
  await memberOf(ann, "dee").waitFor();
  await closeDetails(ann);
  await ben.say("now I may");
  await ann.sees(["now I may"]);
  await leave(all);
});

test("who asks to join is let in, or not", async () => {
  const all = await people("eva", "fay", "gus");
  const [eva, fay, gus] = all as [Person, Person, Person];
  await createGroup(eva, "Marsh", "");
  await details(eva);
  const id = await eva.page.locator("dialog code").innerText();
  for (const one of [fay, gus]) {
    await one.page.getByRole("button", { name: "New conversation" }).click();
    await one.page.getByText("Join", { exact: true }).click();
    await one.page.getByLabel("Group id").fill(id);
    await one.page.getByLabel("A word to those who decide").fill("Let me in");
    await one.page.getByRole("button", { name: "Ask to join" }).click();
    await one.page.getByText("You asked to join.").waitFor();
    await one.page.getByRole("button", { name: "Cancel" }).click();
  }
  const asks = (name: string) => eva.page.locator(`[data-request="${name}"]`);
  await asks("fay").getByText("Let me in").waitFor();
  await asks("fay").getByRole("button", { name: "Let in" }).click();
  await asks("gus").getByRole("button", { name: "Reject" }).click();
  await asks("gus").waitFor({ state: "detached" });
  await memberOf(eva, "fay").waitFor();
  await fay.open("Marsh");
  await fay.say("thanks");
  await closeDetails(eva);
  await eva.sees(["thanks"]);
  assert.equal(await gus.page.locator(".row").count(), 0);
  await details(eva);
  await eva.page.getByLabel("Who comes in").selectOption("public");
  await gus.page.getByRole("button", { name: "New conversation" }).click();
  await gus.page.getByText("Join", { exact: true }).click();
  await gus.page.getByLabel("Group id").fill(id);
  await notice(fay, "eva changed the group");
  await gus.page.getByRole("button", { name: "Ask to join" }).click();
  await gus.page.getByRole("textbox", { name: "Write to Marsh" }).waitFor();
  await notice(fay, "gus joined");
  await leave(all);
});

test("an invitation is accepted or declined", async () => {
  const all = await people("hal", "ida", "jon");
  const [hal, ida, jon] = all as [Person, Person, Person];
  await createGroup(hal, "Reeds", "");
  await details(hal);
  await hal.page.getByLabel("Who is added has to accept").check();
  await hal.page.getByLabel("Add people").fill("ida, jon");
  await hal.page.getByRole("button", { name: "Add", exact: true }).click();
  for (const one of [ida, jon]) await one.open("Reeds");
  await ida.page.getByText("hal invites you to this group.").last().waitFor();
  await ida.page.getByRole("button", { name: "Accept" }).click();
  await ida.say("here");
  await jon.page.getByRole("button", { name: "Decline" }).click();
  await jon.page.locator(".row").waitFor({ state: "detached" });
  await closeDetails(hal);
  await hal.sees(["here"]);
  await leave(all);
});

test("search finds what this device has, single Chinese characters, too", async () => {
  const all = await people("kai", "lea");
  const [kai, lea] = all as [Person, Person];
  await kai.talkTo("lea");
  await kai.say("大雁南飞");
  await kai.say("the geese fly south");
  await kai.sees(["大雁南飞", "the geese fly south"]);
  await lea.open("kai");
  await lea.sees(["大雁南飞", "the geese fly south"]);
  await createGroup(lea, "Sky", "kai");
  await lea.context.setOffline(true);
  const box = lea.page.getByRole("searchbox", { name: "Search messages" });
  await box.fill("雁");
  await lea.page.locator(".found .row", { hasText: "大雁南飞" }).waitFor();
  assert.equal(await lea.page.locator(".found .row").count(), 1);
  await box.fill("gee");
  await lea.page.locator(".found .row", { hasText: "the geese fly south" }).click();
  await lea.page.getByRole("textbox", { name: "Write to kai" }).waitFor();
  await box.fill("crane");
  await lea.page.getByText("Nothing found").waitFor();
  await box.fill("");
  await lea.page.locator(".row-title", { hasText: "Sky" }).waitFor();
  await lea.context.setOffline(false);
  await leave(all);
});

test("a group on a phone, in Chinese", async () => {
  const phone = { viewport: { width: 390, height: 800 }, locale: "zh-CN" } as const;
  const lin = await Person.arrive(browser, server.demoUrl, phone);
  await lin.signIn("小林");
  const { page } = lin;
  await page.getByRole("button", { name: "新会话" }).click();
  await page.getByText("群聊", { exact: true }).click();
  await page.getByLabel("群名称").fill("芦苇荡");
  await page.getByLabel("成员").fill("阿青");
  await page.getByRole("button", { name: "创建群聊" }).click();
  await page.getByRole("button", { name: "群资料" }).click();
  await memberOf(lin, "阿青").getByRole("button", { name: "设为管理员" }).click();
  await memberOf(lin, "阿青").getByText("管理员", { exact: true }).waitFor();
  await page.getByLabel("群公告").fill("九点见");
  await page.getByRole("button", { name: "保存" }).click();
  const wider = await page
    .locator("dialog")
    .evaluate((dialog) => dialog.scrollWidth > dialog.clientWidth);
  assert.equal(wider, false, "nothing hangs over the edge");
  await page.getByRole("button", { name: "关闭", exact: true }).click();
  await notice(lin, "我发布了公告：九点见");
  await page.getByRole("note", { name: "群公告" }).getByText("九点见").waitFor();
  await leave([lin]);
});
