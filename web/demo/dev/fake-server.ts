/** The server in memory of the SDK's tests behind Vite: the page runs before there is a server. */
import type { Plugin } from "vite";
import { WebSocketServer } from "ws";

import { MiniServer } from "../../sdk/test/mini-server.js";

export function fakeServer(): Plugin {
  return {
    name: "anser-fake-server",
    apply: "serve",
    configureServer({ httpServer, middlewares }) {
      const server = new MiniServer(Date.now);
      const sockets = new WebSocketServer({ noServer: true, handleProtocols: () => "anser.v1" });
      httpServer?.on("upgrade", (request, socket, head) => {
        if (request.url !== "/v1/connect") return;
        sockets.handleUpgrade(request, socket, head, (webSocket) => {
          const session = server.connect({
            opened: () => {},
            received: (frame) => webSocket.send(frame),
            closed: () => webSocket.close(),
          });
          webSocket.on("message", (data: Buffer) => session.send(new Uint8Array(data)));
          webSocket.on("close", () => session.close());
        });
      });
      const answer = (path: string, answered: (asked: Asked) => object): void => {
        middlewares.use(path, (request, response) => {
          let body = "";
          request.on("data", (chunk: Buffer) => (body += chunk.toString()));
          request.on("end", () => {
            response.setHeader("content-type", "application/json");
            response.end(JSON.stringify(answered(JSON.parse(body) as Asked)));
          });
        });
      };
      answer("/token", ({ user }) => ({ token: user, app_key: "demo", user_id: user }));
      answer("/room", ({ user, room = "" }) => ({ room, created: server.rooms.open(room, user) }));
    },
  };
}

interface Asked {
  readonly user: string;
  readonly room?: string;
}
