/** Every scenario of `scenarios/` with the TypeScript SDK on the built binary. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, test } from "node:test";

import { Server } from "../sdk/e2e/server.js";
import { Actor, Names } from "./actors.js";
import { PAGE, page, scenarios } from "./scenarios.js";
import { Stage } from "./stage.js";
import { perform } from "./steps.js";

let server: Server;

before(async () => {
  server = await Server.start();
});

after(() => server?.remove());

test("the page lists them, and every capability that is listed has one", () => {
  assert.equal(readFileSync(PAGE, "utf8"), page(), "npm --prefix web run scenarios");
});

for (const [
  number,
  { file, name, devices, users = [], app: settings, steps },
] of scenarios().entries()) {
  test(`${file}: ${name}`, async () => {
    const names = new Names(`s${number}-`);
    const app = settings ? await server.createApp(settings) : server.app;
    const stage = new Stage(server, app, names);
    try {
      await Promise.all(
        [...users, ...devices.map((device) => device.split("/")[0] ?? device)].map((user) =>
          app.token(names.user(user)),
        ),
      );
      for (const device of devices) {
        stage.actors.set(device, await Actor.arrive(app, device, names));
      }
      for (const [i, step] of steps.entries()) {
        const [[what, args] = []] = Object.entries(step);
        assert.ok(what && args);
        try {
          await perform(stage, what, args);
        } catch (error) {
          throw new Error(`step ${i + 1}, ${what}: ${String(error)}`, { cause: error });
        }
      }
    } finally {
      await stage.leave();
    }
  });
}
