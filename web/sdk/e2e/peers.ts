/** Clients of the built server, and waiting for what they see. */
import { setTimeout as sleep } from "node:timers/promises";

import { AnserClient, type Events, type Message, type Platform } from "../src/index.js";
import type { Server } from "./server.js";

export interface Peer {
  readonly client: AnserClient;
  readonly messages: Message[];
  readonly closed: Events["closed"][];
  texts(conversation?: string): string[];
}

export interface PeerOptions {
  device?: string;
  platform?: Platform;
}

export async function peer(server: Server, user: string, options: PeerOptions = {}): Promise<Peer> {
  const client = new AnserClient({
    url: server.ws,
    token: () => server.token(user),
    deviceId: options.device ?? `device-of-${user}`,
    platform: options.platform ?? "desktop",
  });
  const messages: Message[] = [];
  const closed: Events["closed"][] = [];
  client.on("message", (message) => messages.push(message));
  client.on("closed", (error) => closed.push(error));
  const synced = new Promise<void>((resolve) => {
    const stop = client.on("synced", () => {
      stop();
      resolve();
    });
  });
  await client.connect();
  await synced;
  const texts = (conversation?: string): string[] =>
    messages
      .filter((message) => !conversation || message.conversation === conversation)
      .map((message) => message.text ?? `[${message.notice?.kind}]`);
  return { client, messages, closed, texts };
}

/** Waits until something holds; fails loudly when it does not within 30 s. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let i = 0; i < 1_500; i++) {
    if (await holds()) return;
    await sleep(20);
  }
  throw new Error(`waited in vain: ${what}`);
}
