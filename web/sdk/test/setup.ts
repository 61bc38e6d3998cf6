/** A client in a world of its own, connected to a server in memory. */
import { AnserClient, type ClientOptions } from "../src/client.js";
import type { Events, Message } from "../src/types.js";
import { MiniServer } from "./mini-server.js";
import { World } from "./world.js";

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
