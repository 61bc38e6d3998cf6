import { after, before } from "node:test";
import sdk from "leancloud-realtime";
import { chapters } from "./chapters.js";
import { Server, appId, appKey } from "./server.js";

let server;
before(async () => {
  server = await Server.start();
});
after(() => server.stop());

chapters(sdk, {
  connect: () => new sdk.Realtime({ appId, appKey, server: server.url }),
  server: () => server,
});
