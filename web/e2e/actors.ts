/** The devices of a scenario: clients of the TypeScript SDK, and what they were told. */
import {
  AnserClient,
  MemoryDatabase,
  type Message,
  type Platform,
  type Presence,
  type Timeline,
  processLocks,
} from "../sdk/src/index.js";
import type { App } from "../sdk/e2e/server.js";
import { Line } from "./line.js";
import { RoomHeard } from "./room-heard.js";

const PLATFORMS: Readonly<Record<string, Platform>> = {
  "": "desktop",
  desk: "desktop",
  phone: "android",
  web: "web",
};

/** A scenario's own names: users and groups of one are not those of another. */
export class Names {
  /** What the server calls the conversations that users created, by what the scenario does. */
  readonly #created = new Map<string, string>();

  /** The ids of uploaded files, by what the scenario calls them. */
  readonly #media = new Map<string, string>();

  /** What is kept for later, by its kind and what the scenario calls it. */
  readonly #kept = new Map<string, string>();

  constructor(private readonly prefix: string) {}

  keep(kind: "secret" | "token", name: string, what: string): void {
    this.#kept.set(`${kind} ${name}`, what);
  }

  kept(kind: "secret" | "token", name: string): string {
    const kept = this.#kept.get(`${kind} ${name}`);
    if (kept === undefined) throw new Error(`there is no ${kind} ${name}`);
    return kept;
  }

  /** Remembers the id of an uploaded file. */
  uploaded(name: string, media: string): void {
    this.#media.set(name, media);
  }

  media(name: string): string {
    const media = this.#media.get(name);
    if (!media) throw new Error(`${name} was not uploaded`);
    return media;
  }

  /** Remembers what the server calls a conversation. */
  created(name: string, conversation: string): void {
    this.#created.set(`c/${name}`, conversation);
  }

  user(name: string): string {
    return this.prefix + name;
  }

  users(names: readonly string[]): string[] {
    return names.map((name) => this.user(name));
  }

  conversation(name: string): string {
    if (!name.startsWith("c/")) return name.replace(/(?<=\/)/g, this.prefix);
    const created = this.#created.get(name);
    if (!created) throw new Error(`${name} was not created`);
    return created;
  }

  /** As the scenario says it. */
  plain(name: string): string {
    for (const [known, created] of this.#created) if (created === name) return known;
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
  /** Changes of the user's own lists, as they were told. */
  readonly relations: string[] = [];
  /** Of users: the newest that was told, answers of subscribing included. */
  readonly presences = new Map<string, Presence>();
  /** What was heard in each chat room since the device joined it. */
  readonly rooms = new Map<string, RoomHeard>();
  /** Why the connection ended for good; empty: it did not. */
  closed = "";
  readonly #timelines = new Map<string, Timeline>();

  private constructor(
    private readonly app: App,
    readonly user: string,
    private readonly device: string,
    private readonly names: Names,
    private readonly line: Line,
    private readonly database = new MemoryDatabase(),
    private readonly locks = processLocks(),
  ) {
    this.client = new AnserClient({
      url: line.url,
      token: () => app.token(user),
      deviceId: `${user}-${device || "only"}`,
      platform: PLATFORMS[device] ?? "desktop",
      database,
      locks,
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
    this.client.on("relations", ({ list, added, removed }) => {
      for (const one of added) this.relations.push(`${list} + ${names.plain(one)}`);
      for (const one of removed) this.relations.push(`${list} - ${names.plain(one)}`);
    });
    this.client.on("presence", (presence) => this.presences.set(presence.user, presence));
    this.client.on("room", ({ room, news }) => this.heardIn(room).take(news));
    this.client.on("closed", (error) => (this.closed = error?.codeName ?? ""));
  }

  static async arrive(app: App, name: string, names: Names): Promise<Actor> {
    const [user = "", device = ""] = name.split("/");
    const line = await Line.lay(app.ws);
    const actor = new Actor(app, names.user(user), device, names, line);
    await actor.connect();
    return actor;
  }

  /** The application ends, and starts anew with its database. */
  restart(): Actor {
    this.#end();
    const { app, user, device, names, line, database, locks } = this;
    const actor = new Actor(app, user, device, names, line, database, locks);
    // Whether it comes to a connection is another matter.
    actor.client.connect().catch(() => {});
    return actor;
  }

  /** The network is there, or is not. Of its return the client is told. */
  plug(up: boolean): void {
    this.line.set(up);
    if (up) this.client.retryNow();
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
    this.closed = "";
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

  heardIn(room: string): RoomHeard {
    const heard = this.rooms.get(room) ?? new RoomHeard();
    this.rooms.set(room, heard);
    return heard;
  }

  leave(): void {
    this.#end();
    this.line.close();
  }

  #end(): void {
    for (const timeline of this.#timelines.values()) timeline.close();
    this.client.close();
  }
}
