import { after, before } from "node:test";
import { chapters } from "./chapters.js";
import { Server, appId, appKey, load } from "./server.js";

let server;
before(async () => {
  server = await Server.start();
});
after(() => server.stop());

chapters({
  load: () => load("leancloud-realtime"),
  options: () => ({ appId, appKey, server: server.url }),
  server: () => server,
});
