import { after, before } from "node:test";
import sdk from "leancloud-realtime-4";
import { chapters } from "./chapters.js";
import { Server, appId, appKey } from "./server.js";

let server;
before(async () => {
  server = await Server.start();
});
after(() => server.stop());

chapters(sdk, {
  // This release wants a name and a port, and takes nothing but TLS.
  connect: () => {
    const { port } = new URL(server.url);
    return new sdk.Realtime({ appId, appKey, server: `localhost:${port}` });
  },
  server: () => server,
});
