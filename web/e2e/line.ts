/** The network of a device, which can be cut: connections go through here to the server. */
import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";

export class Line {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #up = true;

  private constructor(
    /** Where clients connect. */
    readonly url: string,
    server: Server,
  ) {
    this.#server = server;
  }

  /** A line to the server at this address of its WebSocket endpoint. */
  static async lay(websocket: string): Promise<Line> {
    const { hostname, port, pathname } = new URL(websocket);
    const server = createServer();
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const address = server.address() as AddressInfo;
    const line = new Line(`ws://127.0.0.1:${address.port}${pathname}`, server);
    server.on("connection", (near) => line.#carry(near, connect(Number(port), hostname)));
    return line;
  }

  set(up: boolean): void {
    this.#up = up;
    if (!up) for (const socket of this.#sockets) socket.destroy();
  }

  close(): void {
    this.set(false);
    this.#server.close();
  }

  /** Until one side ends, or the line is cut. */
  #carry(near: Socket, far: Socket): void {
    for (const socket of [near, far]) {
      this.#sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.#sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    if (this.#up) near.pipe(far).pipe(near);
    else near.destroy();
  }
}
