/**
 * WebSocket as a transport: the global one of browsers, Node 22 and later, and else the package
 * `ws`, which an application on Node 20 installs beside this one.
 */
import type { Socket, Transport } from "./environment.js";

/** Every frame is one binary message. */
export const webSocket: Transport = (url, protocol, events) => {
  if (typeof globalThis.WebSocket === "function") {
    return wrap(() => new globalThis.WebSocket(url, protocol), events);
  }
  let socket: Socket | undefined;
  let ended = false;
  loadWs().then(
    (WebSocket) => {
      if (!ended) socket = wrap(() => new WebSocket(url, protocol), events);
    },
    () => {
      if (!ended) events.closed("no WebSocket here: install the package `ws` or pass `transport`");
    },
  );
  return {
    send: (frame) => socket?.send(frame),
    close: () => {
      ended = true;
      socket?.close();
    },
  };
};

type WebSocketClass = new (url: string, protocol: string) => WebSocket;

async function loadWs(): Promise<WebSocketClass> {
  // Kept from bundlers, which would otherwise look for a package that browsers don't need.
  const name = "ws";
  const module = (await import(/* @vite-ignore */ name)) as { WebSocket: WebSocketClass };
  return module.WebSocket;
}

function wrap(open: () => WebSocket, events: Parameters<Transport>[2]): Socket {
  let over = false;
  const end = (reason: string): void => {
    if (over) return;
    over = true;
    events.closed(reason);
  };
  let socket: WebSocket;
  try {
    socket = open();
  } catch (error) {
    // A malformed address; told later, as every other failure is.
    queueMicrotask(() => end(String(error)));
    return { send: () => {}, close: () => (over = true) };
  }
  socket.binaryType = "arraybuffer";
  socket.onopen = () => !over && events.opened();
  socket.onmessage = (event: MessageEvent) => {
    if (over) return;
    if (event.data instanceof ArrayBuffer) events.received(new Uint8Array(event.data));
    else end("the server sent text");
  };
  socket.onerror = () => end("the connection failed");
  socket.onclose = (event: CloseEvent) => end(event.reason || `closed with ${event.code}`);
  return {
    send: (frame) => socket.send(frame as Uint8Array<ArrayBuffer>),
    close: () => {
      over = true;
      socket.close();
    },
  };
}
