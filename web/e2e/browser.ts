/** Chromium, and a person in front of the demo page. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";

import {
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
  chromium,
} from "playwright-core";

const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** A freshly built page, for a binary that has an older one inside. */
const PAGE = process.env.DEMO_DIST;

/** A browser without a screen, and without the traffic of its own that browsers make. */
export function launch(): Promise<Browser> {
  return chromium.launch({
    executablePath: EXECUTABLE,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      // A page that did not come over the network is none of this machine's to Chromium.
      ...(PAGE ? ["--disable-features=LocalNetworkAccessChecks"] : []),
    ],
  });
}

export class Person {
  /** What went wrong in the page. */
  readonly errors: string[] = [];

  constructor(
    readonly page: Page,
    readonly context: BrowserContext,
  ) {
    page.setDefaultTimeout(30_000);
    page.on("pageerror", (error) => this.errors.push(error.message));
    page.on("console", (message) => {
      // A connection that fails is what these tests are about; the browser reports it by itself.
      const expected = /WebSocket connection|ERR_INTERNET_DISCONNECTED|ERR_CONNECTION_REFUSED/;
      if (message.type() === "error" && !expected.test(message.text()))
        this.errors.push(message.text());
    });
  }

  /** Comes to the demo page in a browser profile of their own. */
  static async arrive(
    browser: Browser,
    url: string,
    options: BrowserContextOptions = {},
  ): Promise<Person> {
    const context = await browser.newContext({ locale: "en-US", ...options });
    const person = new Person(await context.newPage(), context);
    if (PAGE) await serve(context, url, PAGE);
    await person.page.goto(url);
    return person;
  }

  async signIn(name: string): Promise<void> {
    await this.page.locator("#name").fill(name);
    await this.page.keyboard.press("Enter");
    await this.connected();
  }

  async connected(): Promise<void> {
    await this.page.locator(".dot-connected").waitFor();
  }

  async talkTo(peer: string): Promise<void> {
    await this.page.getByRole("button", { name: "New conversation" }).click();
    await this.page.getByLabel("Their name").fill(peer);
    await this.page.getByRole("button", { name: "Start talking" }).click();
    await this.page.getByRole("textbox", { name: `Write to ${peer}` }).waitFor();
  }

  async open(title: string): Promise<void> {
    await this.page
      .locator(".row", { has: this.page.locator(".row-title", { hasText: title }) })
      .click();
  }

  /** Opens the menu of a message and picks an entry of it. */
  async act(seq: number, entry: string): Promise<void> {
    const message = this.page.locator(`[data-seq="${seq}"]`);
    await message.getByRole("button", { name: "Message actions" }).click();
    await message.getByRole("menuitem", { name: entry, exact: true }).click();
  }

  /** The same for the open conversation. */
  async actOnConversation(entry: string): Promise<void> {
    await this.page.getByRole("button", { name: "Conversation actions" }).click();
    await this.page.getByRole("menuitem", { name: entry, exact: true }).click();
  }

  async say(text: string): Promise<void> {
    await this.page.locator(".composer textarea").fill(text);
    await this.page.keyboard.press("Enter");
  }

  /** Confirmed messages of the open conversation, as they stand there. */
  async texts(): Promise<string[]> {
    return this.page.locator("[data-seq] .bubble").allTextContents();
  }

  /** Waits for exactly these messages. */
  async sees(expected: readonly string[]): Promise<void> {
    const wanted = JSON.stringify(expected);
    for (let i = 0; i < 600 && JSON.stringify(await this.texts()) !== wanted; i++) {
      await this.page.waitForTimeout(50);
    }
    const rest = await this.page.locator(".banner, [data-state]").allTextContents();
    assert.deepEqual(await this.texts(), expected, rest.join("; "));
  }

  /** Waits for a row of the list to have so many unread messages. */
  async unread(title: string, count: number): Promise<void> {
    const row = this.page.locator(".row", {
      has: this.page.locator(".row-title", { hasText: title }),
    });
    if (count > 0) await row.locator(`[data-unread="${count}"]`).waitFor();
    else {
      await row.waitFor();
      await row.locator(".badge").waitFor({ state: "detached" });
    }
  }
}

/** Answers what is below an address from a folder, and passes on what is not in it. */
async function serve(context: BrowserContext, url: string, folder: string): Promise<void> {
  const base = new URL(".", url).pathname;
  await context.route(
    ({ origin, pathname }) => origin === new URL(url).origin && pathname.startsWith(base),
    async (route) => {
      const name = new URL(route.request().url()).pathname.slice(base.length) || "index.html";
      const path = join(folder, name);
      if (existsSync(path)) await route.fulfill({ path });
      else await route.continue();
    },
  );
}
