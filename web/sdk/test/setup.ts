/** A client in a world of its own, connected to a server in memory. */
import assert from "node:assert/strict";

import { AnserClient, type ClientOptions } from "../src/client.js";
import type { Request, Response } from "../src/gen/anser/client/v1/client_pb.js";
import type { Events, Message } from "../src/types.js";
import { MiniServer } from "./mini-server.js";
import { World } from "./world.js";

type Result = Response["result"];

export interface Setup {
  readonly world: World;
  readonly server: MiniServer;
  readonly client: AnserClient;
  /** Texts of the `message` events of a conversation, in order. */
  texts(conversation?: string): string[];
  /** Events of one name. */
  events<K extends keyof Events>(name: K): Events[K][];
}

const NAMES: (keyof Events)[] = [
  "connection",
  "message",
  "changed",
  "deleted",
  "transient",
  "receipts",
  "outdated",
  "storage",
  "read",
  "conversation",
  "joinRequest",
  "relations",
  "presence",
  "room",
  "skipped",
  "reset",
  "synced",
  "closed",
];

export function setup(options: Partial<ClientOptions> = {}): Setup {
  const world = new World();
  const server = new MiniServer(world.wallClock);
  return { world, server, ...observe(join(server, world, "alice", options)) };
}

/** Another client of the same server. */
export function join(
  server: MiniServer,
  world: World,
  user: string,
  options: Partial<ClientOptions> = {},
): AnserClient {
  return new AnserClient({
    url: "http://fake",
    token: user,
    deviceId: `device-of-${user}`,
    transport: (_url, _protocol, events) => server.connect(events),
    environment: world,
    ...options,
  });
}

export function observe(client: AnserClient): Omit<Setup, "world" | "server"> {
  const seen: { name: keyof Events; event: unknown }[] = [];
  for (const name of NAMES) client.on(name, (event) => seen.push({ name, event }));
  const events = <K extends keyof Events>(name: K): Events[K][] =>
    seen.filter((one) => one.name === name).map(({ event }) => event as Events[K]);
  const texts = (conversation?: string): string[] =>
    events("message")
      .filter((message: Message) => !conversation || message.conversation === conversation)
      .map((message) => message.text ?? `[${message.notice?.kind}]`);
  return { client, events, texts };
}

export async function connected(options: Partial<ClientOptions> = {}): Promise<Setup> {
  const all = setup(options);
  void all.client.connect();
  await all.world.settle();
  return all;
}

/** How a promise ended, so that its failure is not an unhandled one. */
export function outcome<T>(promise: Promise<T>): { value?: T; code?: number } {
  const ended: { value?: T; code?: number } = {};
  promise.then(
    (value) => (ended.value = value),
    (error: { code: number }) => (ended.code = error.code),
  );
  return ended;
}

/** What one command puts on the wire, and what it resolves with. */
export interface Exchanged<T> {
  readonly command: Request["command"];
  readonly value: T | undefined;
  readonly code: number | undefined;
}

export async function exchange<T>(
  answer: Result,
  ask: (client: AnserClient) => Promise<T>,
): Promise<Exchanged<T>> {
  const { server, client, world } = await connected();
  const from = server.requests.length;
  server.judge = ({ command }) =>
    command.case === "ping" || command.case === "sync" ? undefined : { answer };
  const { value, code } = await (async () => {
    const ended = outcome(ask(client));
    await world.settle();
    return ended;
  })();
  const command = server.requests[from]?.request.command;
  assert.ok(command);
  return { command, value, code };
}

/** The fields of a command that were set. */
export function fields(command: Request["command"]): [string | undefined, unknown] {
  const { $typeName: _, ...rest } = command.value as { $typeName: string };
  return [command.case, rest];
}
