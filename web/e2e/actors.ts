/** The devices of a scenario: clients of the TypeScript SDK, and what they were told. */
import { AnserClient, type Message, type Platform, type Timeline } from "../sdk/src/index.js";
import type { Server } from "../sdk/e2e/server.js";

const PLATFORMS: Readonly<Record<string, Platform>> = {
  "": "desktop",
  desk: "desktop",
  phone: "android",
  web: "web",
};

/** A scenario's own names: users and groups of one are not those of another. */
export class Names {
  constructor(private readonly prefix: string) {}

  user(name: string): string {
    return this.prefix + name;
  }

  users(names: readonly string[]): string[] {
    return names.map((name) => this.user(name));
  }

  conversation(name: string): string {
    return name.replace(/(?<=\/)/g, this.prefix);
  }

  /** As the scenario says it. */
  plain(name: string): string {
    return name.replaceAll(this.prefix, "");
  }
}

export class Actor {
  readonly client: AnserClient;
  readonly received: Message[] = [];
  readonly transient: Message[] = [];
  /** Of users by conversation: how far each is, as it was told. */
  readonly positions = new Map<string, { delivered: number; read: number }>();
  readonly acknowledged: string[] = [];
  readonly joinRequests: string[] = [];
  readonly #timelines = new Map<string, Timeline>();

  private constructor(
    server: Server,
    readonly user: string,
    device: string,
    names: Names,
  ) {
    this.client = new AnserClient({
      url: server.ws,
      token: () => server.token(user),
      deviceId: `${user}-${device || "only"}`,
      platform: PLATFORMS[device] ?? "desktop",
    });
    this.client.on("message", (message) => this.received.push(message));
    this.client.on("transient", (message) => this.transient.push(message));
    this.client.on("receipts", ({ conversation, receipts, acknowledgements }) => {
      for (const { user: who, deliveredSeq, readSeq } of receipts) {
        const key = `${conversation} ${who}`;
        const had = this.positions.get(key) ?? { delivered: 0, read: 0 };
        const delivered = Math.max(had.delivered, deliveredSeq);
        this.positions.set(key, { delivered, read: Math.max(had.read, readSeq) });
      }
      for (const { seq, user: who } of acknowledgements) {
        this.acknowledged.push(`${conversation} ${seq} ${who}`);
      }
    });
    this.client.on("joinRequest", ({ groupId, userId, rejectedBy }) => {
      const told = rejectedBy === undefined ? userId : `${userId}: rejected`;
      this.joinRequests.push(names.plain(`${groupId} ${told}`));
    });
  }

  static async arrive(server: Server, name: string, names: Names): Promise<Actor> {
    const [user = "", device = ""] = name.split("/");
    const actor = new Actor(server, names.user(user), device, names);
    await actor.connect();
    return actor;
  }

  /** Resolves when everything that was missed of the list is there. */
  async connect(): Promise<void> {
    const synced = new Promise<void>((resolve) => {
      const stop = this.client.on("synced", () => {
        stop();
        resolve();
      });
    });
    await this.client.connect();
    await synced;
  }

  timeline(conversation: string): Timeline {
    let timeline = this.#timelines.get(conversation);
    if (!timeline) {
      timeline = this.client.timeline(conversation);
      this.#timelines.set(conversation, timeline);
    }
    return timeline;
  }

  leave(): void {
    for (const timeline of this.#timelines.values()) timeline.close();
    this.client.close();
  }
}
