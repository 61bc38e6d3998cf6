/** Pictures, files and other people on the demo page, in Chromium. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import type { Browser, Locator } from "playwright-core";

import { Server } from "../sdk/e2e/server.js";
import { Person, launch } from "./browser.js";

const FILES = fileURLToPath(new URL("../../scenarios/files/", import.meta.url));
const GOOSE = `${FILES}goose.png`;

let server: Server;
let browser: Browser;

before(async () => {
  [server, browser] = await Promise.all([Server.start(), launch()]);
  await server.settings("demo", { presence: true });
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

/** The picture of a message, once it can be seen. */
async function picture({ page }: Person, seq: number): Promise<Locator> {
  const image = page.locator(`[data-seq="${seq}"] .picture img`);
  await image.waitFor();
  await page.waitForFunction((at) => {
    const found = document.querySelector<HTMLImageElement>(`[data-seq="${at}"] .picture img`);
    return found !== null && found.complete && found.naturalWidth > 0;
  }, seq);
  return image;
}

/** The way of a file that is dropped, or pasted: as the browser tells the page. */
async function give({ page }: Person, selector: string, event: "drop" | "paste"): Promise<void> {
  const base64 = readFileSync(GOOSE).toString("base64");
  await page.locator(selector).evaluate(
    (element, [kind, content]) => {
      const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
      const data = new DataTransfer();
      data.items.add(new File([bytes], "goose.png", { type: "image/png" }));
      const options = { bubbles: true, cancelable: true };
      element.dispatchEvent(
        kind === "drop"
          ? new DragEvent("drop", { ...options, dataTransfer: data })
          : new ClipboardEvent("paste", { ...options, clipboardData: data }),
      );
    },
    [event, base64] as const,
  );
}

test("a picture is chosen, dropped or pasted; both see it small, and whole on a tap", async () => {
  const all = await people("ann", "ben");
  const [ann, ben] = all as [Person, Person];
  await ann.talkTo("ben");
  await ann.page.getByLabel("Send a picture or a file").setInputFiles(GOOSE);
  await picture(ann, 1);
  await ben.open("ann");
  const image = await picture(ben, 1);
  const source = (await image.getAttribute("src")) ?? "";
  assert.match(source, /thumbnail/);
  const width = await image.evaluate((it) => (it as HTMLImageElement).naturalWidth);
  assert.equal(width, 320, "what is shown is the small one");
  await ben.page.locator('[data-seq="1"]').getByRole("button", { name: "Open goose.png" }).click();
  const whole = ben.page.locator(".lightbox img");
  await whole.waitFor();
  await ben.page.waitForFunction(
    () => document.querySelector<HTMLImageElement>(".lightbox img")?.naturalWidth === 640,
  );
  await ben.page.keyboard.press("Escape");
  await whole.waitFor({ state: "detached" });
  await give(ann, "main.thread", "drop");
  await picture(ben, 2);
  await give(ann, ".composer textarea", "paste");
  await picture(ben, 3);
  await ann.page.locator("[data-upload]").waitFor({ state: "detached" });
  await ben.page.locator(".row", { hasText: "[Picture]" }).waitFor();
  await ann.act(3, "Take back");
  await ben.page.getByRole("log").getByText("ann took back a message").waitFor();
  await ben.page.reload();
  await ben.open("ann");
  await picture(ben, 1);
  await leave(all);
});

test("a file has a name and a size, and is downloaded", async () => {
  const all = await people("cid", "dee");
  const [cid, dee] = all as [Person, Person];
  await cid.talkTo("dee");
  await cid.page.getByLabel("Send a picture or a file").setInputFiles({
    name: "notes.txt",
    mimeType: "text/plain",
    buffer: Buffer.from("a text file"),
  });
  await dee.open("cid");
  const file = dee.page.getByRole("button", { name: "Download notes.txt" });
  await file.getByText("11 B").waitFor();
  const download = dee.page.waitForEvent("download");
  await file.click();
  assert.equal((await download).suggestedFilename(), "notes.txt");
  await leave(all);
});

test("an upload waits for the network, shows how far it is, and can be given up", async () => {
  const all = await people("eva", "fay");
  const [eva, fay] = all as [Person, Person];
  await eva.talkTo("fay");
  await eva.say("first");
  await eva.sees(["first"]);
  let blocked = true;
  await eva.context.route("**/v1/media**", (route) => (blocked ? route.abort() : route.continue()));
  const chosen = eva.page.getByLabel("Send a picture or a file");
  await chosen.setInputFiles(GOOSE);
  await eva.page.locator('[data-upload="sending"]').getByText("Uploading 0%").waitFor();
  await eva.page.locator('[data-upload="sending"] .picture img').waitFor();
  await eva.page.getByRole("button", { name: "Discard" }).click();
  await eva.page.locator("[data-upload]").waitFor({ state: "detached" });
  await chosen.setInputFiles(GOOSE);
  await eva.page.locator('[data-upload="sending"]').waitFor();
  blocked = false;
  await fay.open("eva");
  await picture(fay, 2);
  await eva.page.locator("[data-upload]").waitFor({ state: "detached" });
  // What the browser says of requests that were cut is what this test is about.
  eva.errors.splice(0);
  await leave(all);
});

test("a dot says who is there", async () => {
  const all = await people("gus", "hal");
  const [gus, hal] = all as [Person, Person];
  await gus.talkTo("hal");
  await gus.say("there?");
  const dot = (name: string) => gus.page.locator(".thread-header").getByRole("img", { name });
  await dot("online").waitFor();
  await hal.context.close();
  await dot("away").waitFor();
  await leave([gus]);
});

test("who is blocked can't write, until they are not", async () => {
  const all = await people("ida", "jon");
  const [ida, jon] = all as [Person, Person];
  await ida.talkTo("jon");
  await ida.say("hello");
  await jon.open("ida");
  await jon.sees(["hello"]);
  await jon.actOnConversation("Block");
  await jon.page.getByRole("note").getByText("Blocked: they can't write to you here.").waitFor();
  await ida.say("still there?");
  await ida.page.locator('[data-state="failed"]').waitFor();
  await jon.page.reload();
  await jon.open("ida");
  await jon.page.getByRole("note").getByText("Blocked").waitFor();
  await jon.actOnConversation("Unblock");
  await jon.page.getByRole("note").waitFor({ state: "detached" });
  await ida.page.getByRole("button", { name: "Try again" }).click();
  await jon.sees(["hello", "still there?"]);
  await leave(all);
});

test("several names make one conversation of all, whoever begins", async () => {
  const all = await people("kai", "lea", "max");
  const [kai, lea, max] = all as [Person, Person, Person];
  for (const [one, others] of [
    [kai, "lea, max"],
    [lea, "max kai"],
  ] as const) {
    await one.page.getByRole("button", { name: "New conversation" }).click();
    await one.page.getByLabel("Their name").fill(others);
    await one.page.getByRole("button", { name: "Start talking" }).click();
    await one.page.getByRole("textbox", { name: "Write to kai, lea, max" }).waitFor();
  }
  await kai.say("all of us");
  await lea.say("@max you, too");
  await max.page.locator('[data-mentions="1"]').waitFor();
  await max.open("kai, lea, max");
  await max.sees(["all of us", "@max you, too"]);
  await max.page.getByRole("button", { name: "Conversation details" }).click();
  await max.page.getByText("3 members").waitFor();
  await max.page.getByLabel("Name of the conversation").fill("Three geese");
  await max.page.getByRole("button", { name: "Save" }).click();
  await kai.page.getByRole("heading", { name: "Three geese" }).waitFor();
  await max.page.getByRole("button", { name: "Leave", exact: true }).click();
  await kai.page.getByRole("log").getByText("max left").waitFor();
  await leave(all);
});

test("search also finds on the server what this device never had", async () => {
  const all = await people("ned", "oda");
  const [ned, oda] = all as [Person, Person];
  await ned.talkTo("oda");
  await ned.say("大雁南飞");
  await ned.sees(["大雁南飞"]);
  for (let i = 0; i < 130; i++) await ned.say(`later ${i}`);
  await ned.page.locator('[data-seq="131"]').waitFor();
  const fresh = await Person.arrive(browser, server.demoUrl);
  await fresh.signIn("oda");
  await fresh.page.getByRole("searchbox", { name: "Search messages" }).fill("雁");
  const found = fresh.page.locator('[data-found="server"] .row', { hasText: "大雁南飞" });
  await found.waitFor();
  assert.equal(await fresh.page.locator('[data-found="device"]').count(), 0);
  await found.click();
  await fresh.page.getByRole("textbox", { name: "Write to ned" }).waitFor();
  await leave([ned, oda, fresh]);
});

test("typing is shown while it lasts", async () => {
  const all = await people("pia", "quo");
  const [pia, quo] = all as [Person, Person];
  await pia.talkTo("quo");
  await pia.say("wait");
  await quo.open("pia");
  await pia.page.locator(".composer textarea").pressSequentially("I am writing a long letter", {
    // It is told every few seconds, and was just told of the message before.
    delay: 200,
  });
  const typing = quo.page.getByRole("status").filter({ hasText: "pia typing…" });
  await typing.waitFor();
  await typing.waitFor({ state: "detached" });
  await leave(all);
});

test("pictures and a dot on a phone, in Chinese, in the dark", async () => {
  const phone = { viewport: { width: 390, height: 800 }, locale: "zh-CN", colorScheme: "dark" };
  const lin = await Person.arrive(browser, server.demoUrl, phone as object);
  await lin.signIn("小林");
  await lin.page.getByRole("button", { name: "新会话" }).click();
  await lin.page.getByLabel("对方的名字").fill("阿青");
  await lin.page.getByRole("button", { name: "开始聊天" }).click();
  await lin.page.getByLabel("发送图片或文件").setInputFiles(GOOSE);
  await picture(lin, 1);
  const wider = await lin.page.evaluate("document.documentElement.scrollWidth > innerWidth");
  assert.equal(wider, false, "nothing hangs over the edge");
  await lin.page.getByRole("button", { name: "打开goose.png" }).click();
  await lin.page.locator(".lightbox img").waitFor();
  await lin.page.getByRole("button", { name: "关闭" }).click();
  await lin.page.getByRole("button", { name: "返回会话列表" }).click();
  await lin.page.getByText("我: [图片]").waitFor();
  await leave([lin]);
});
