/** Takes the picture of the demo page in the README, from the built server: `docs/images/demo.png`. */
import { mkdir } from "node:fs/promises";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

import { Server } from "../sdk/e2e/server.js";
import { Person, launch } from "./browser.js";

const IMAGE = fileURLToPath(new URL("../../docs/images/demo.png", import.meta.url));
const GOOSE = fileURLToPath(new URL("../../scenarios/files/goose.png", import.meta.url));
const SIZE = { width: 1180, height: 740 };

const server = await Server.start();
await server.settings("demo", { presence: true });
const browser = await launch();
try {
  const [alice, bob, lin] = [
    await Person.arrive(browser, server.demoUrl, { viewport: SIZE, deviceScaleFactor: 1.5 }),
    await Person.arrive(browser, server.demoUrl),
    await Person.arrive(browser, server.demoUrl),
  ];
  await alice.signIn("alice");
  await bob.signIn("bob");
  await lin.signIn("小林");

  await bob.page.getByRole("button", { name: "New conversation" }).click();
  await bob.page.getByText("Group", { exact: true }).click();
  await bob.page.getByLabel("Group name").fill("Lake watchers");
  await bob.page.getByLabel("Members").fill("alice 小林");
  await bob.page.getByRole("button", { name: "Create group" }).click();
  await bob.say("First frost on the reeds this morning.");
  await lin.open("Lake watchers");
  await lin.sees(["First frost on the reeds this morning."]);
  await lin.say("四十多只，往南去了。");
  await lin.talkTo("alice");
  await lin.say("照片收到了吗？");

  await alice.talkTo("bob");
  const talk: [Person, string][] = [
    [bob, "The geese left the lake today."],
    [bob, "Forty of them at least, heading south."],
    [alice, "Then autumn is official. Did you write it down?"],
    [alice, "Everything you wrote was here when I came out of the tunnel."],
    [bob, "That is what geese are for."],
  ];
  await bob.talkTo("alice");
  const said: string[] = [];
  for (const [person, text] of talk) {
    await person.say(text);
    said.push(text);
    await alice.sees(said);
    if (said.length !== 2) continue;
    await bob.page.getByLabel("Send a picture or a file").setInputFiles(GOOSE);
    await alice.page.locator('[data-seq="3"] .picture img').waitFor();
    await bob.page.locator("[data-upload]").waitFor({ state: "detached" });
  }
  await alice.page.waitForFunction("document.querySelector('.picture img').naturalWidth > 0");
  await alice.unread("bob", 0);
  await mkdir(dirname(IMAGE), { recursive: true });
  await alice.page.mouse.move(0, 0);
  await alice.page.screenshot({ path: IMAGE });
  console.log(IMAGE);
} finally {
  await browser.close();
  await server.remove();
}
