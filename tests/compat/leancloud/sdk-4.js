import { after, before } from "node:test";
import { chapters } from "./chapters.js";
import { Server, appId, appKey, load } from "./server.js";

let server;
before(async () => {
  server = await Server.start();
});
after(() => server.stop());

chapters({
  load: () => load("leancloud-realtime-4"),
  // This release wants a name and a port, and takes nothing but TLS.
  options: () => ({ appId, appKey, server: `localhost:${new URL(server.url).port}` }),
  server: () => server,
});
