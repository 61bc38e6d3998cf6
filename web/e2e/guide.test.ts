/** The examples of the guide work as they stand: the blocks marked `ts test` of each page. */
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";

import type { AnserClient } from "../sdk/src/index.js";
import { peer, until } from "../sdk/e2e/peers.js";
import { Server } from "../sdk/e2e/server.js";

const GUIDE = fileURLToPath(new URL("../../docs/guide/", import.meta.url));
const SDK = new URL("../sdk/src/index.ts", import.meta.url).href;

/** What the blocks of a page are put into. */
type Page = (
  alice: AnserClient,
  bob: AnserClient,
  until: (holds: () => boolean) => Promise<void>,
  console: { log(...said: unknown[]): void },
) => Promise<void>;

let server: Server;
let folder: string;

before(async () => {
  // Beside this file, so that what the page imports is found.
  folder = await mkdtemp(fileURLToPath(new URL("guide-", import.meta.url)));
  server = await Server.start();
});

after(async () => {
  await server?.remove();
  if (folder) await rm(folder, { recursive: true, force: true });
});

const pages = readdirSync(GUIDE)
  .map((name) => ({
    name,
    blocks: [...readFileSync(GUIDE + name, "utf8").matchAll(/^```ts test\n([^]*?)^```$/gm)],
  }))
  .filter(({ blocks }) => blocks.length > 0);

test("there are examples", () => assert.ok(pages.length > 0));

for (const { name, blocks } of pages) {
  test(name, async () => {
    const module = `${folder}/${name}.ts`;
    const code = blocks.map(([, block]) => block).join("\n");
    await writeFile(
      module,
      `import { AnserClient, fileContent, group, privateWith } from ${JSON.stringify(SDK)};
       export default async (
         alice: AnserClient, bob: AnserClient,
         until: (holds: () => boolean) => Promise<void>, console: any,
       ): Promise<void> => {\n${code}\n};`,
    );
    const { default: run } = (await import(pathToFileURL(module).href)) as { default: Page };
    const [alice, bob] = await Promise.all([peer(server, "alice"), peer(server, "bob")]);
    const said: unknown[] = [];
    try {
      await run(alice.client, bob.client, (holds) => until(name, holds), {
        log: (...words) => said.push(words),
      });
    } finally {
      for (const { client } of [alice, bob]) client.close();
    }
  });
}
