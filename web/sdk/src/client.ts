/**
 * The client of an application: carries out what the core decides, with real sockets, timers and
 * tokens, and offers every command as a method.
 *
 * Nothing is sent before `connect()`. From then on the client keeps itself connected and complete
 * until `disconnect()`, `logout()`, or an error that is final. Methods may be called at any time
 * between: what can't be sent yet waits, within the limits told at `send` and `#ask`.
 */
import { create } from "@bufbuild/protobuf";

import { type Answer, type HistoryOptions, type Kind, Commands } from "./commands.js";
import type { ConversationList } from "./conversation-list.js";
import { Core, type CoreEffect } from "./core.js";
import { AnserError, brokenProtocol, invalid, notReachable, overloaded } from "./errors.js";
import { Emitter, type Listener } from "./emitter.js";
import { type Environment, type Socket, type Transport, systemEnvironment } from "./environment.js";
import { LogoutSchema, SendMessageSchema, SetWillSchema } from "./gen/anser/client/v1/client_pb.js";
import { Local } from "./local.js";
import { Media } from "./media.js";
import { JOBS_MAX, type Job } from "./outbox.js";
import { OutgoingMessages } from "./outgoing.js";
import type { Rooms } from "./rooms.js";
import type { Database, Loaded, SavedOutgoing } from "./store/database.js";
import { IndexedDatabase } from "./store/indexed.js";
import { MemoryDatabase } from "./store/memory.js";
import { type Locks, processLocks, webLocks } from "./store/tabs.js";
import { Timeline } from "./timeline.js";
import { webSocket } from "./transport.js";
import type {
  ConnectionState,
  Events,
  MentionOptions,
  Message,
  Platform,
  Sendable,
} from "./types.js";
import * as wire from "./wire.js";

export type { HistoryOptions };

/** Goes into Hello, for the operator's logs. */
const CLIENT = "anser-web/0.1.0";
const SUBPROTOCOL = "anser.v1";
const DEVICE_KEY = "anser.device";

/** Where the device id is kept: `localStorage` has this shape. */
export interface Storage {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export interface ClientOptions {
  /** Of the server: `https://host`, or the whole address of the WebSocket endpoint. */
  url: string;
  /** A token, or how to get one: called for the first connection and when one is refused. */
  token: string | (() => Promise<string>);
  /** Stable per installation, 1–64 bytes. By default chosen once and kept in `storage`. */
  deviceId?: string;
  /** `web` in browsers and `server` elsewhere unless told. */
  platform?: Platform;
  /** `localStorage` in browsers unless told. */
  storage?: Storage;
  /**
   * Who will sign in. In browsers it names the local database, which is opened at once and outlives
   * the page; without it, messages are kept in memory only. A token of somebody else empties it.
   */
  user?: string;
  /** Instead of the one that `user` names. */
  database?: Database;
  /** Among the clients that share `database`: Web Locks in browsers unless told. */
  locks?: Locks;
  transport?: Transport;
  environment?: Environment;
}

export interface SendOptions {
  /** 1–64 bytes, unique per sender and conversation; sending it again gives the first result. */
  clientMessageId?: string;
  /** The user has read up to here. */
  readUpTo?: number;
  /** Whom it mentions: the user ids, or all. */
  mention?: MentionOptions;
  /** Only these members of the conversation, at most 100, and the sender see it. */
  targets?: readonly string[];
  /** Stored, but never unread for anybody. */
  uncounted?: boolean;
  /** Ask to be told who acknowledges it. */
  receiptWanted?: boolean;
  /** In a private chat: deleted for both so long after the other has read it. */
  burnAfterSeconds?: number;
}

export class AnserClient extends Commands {
  /** The conversation list, kept up to date; with `subscribe` and `getSnapshot` for any framework. */
  readonly list: ConversationList;
  /** What is kept on this device: messages, search, drafts. */
  readonly local: Local;
  /** Messages on their way, of all conversations. */
  readonly outgoing = new OutgoingMessages();
  /** Files: uploads that go on where they were, and addresses to download from. */
  readonly media: Media;
  readonly #core: Core;
  readonly #environment: Environment;
  readonly #transport: Transport;
  readonly #url: string;
  readonly #getToken: () => Promise<string>;
  readonly #emitter = new Emitter();
  #token: string | undefined;
  #socket: Socket | undefined;
  /** Of socket and token: what an older one tells is not heard. */
  #attempt = 0;
  #cancelTimer: (() => void) | undefined;
  #unwatch: (() => void) | undefined;
  #driving = false;
  #lastOrder = 0;
  /** Between `connect()` and `disconnect()`. */
  #wanted = false;
  #closed = false;

  constructor(options: ClientOptions) {
    super();
    const { token } = options;
    this.#environment = options.environment ?? systemEnvironment;
    this.#transport = options.transport ?? webSocket;
    this.#url = endpoint(options.url);
    this.#getToken = typeof token === "string" ? () => Promise.resolve(token) : token;
    const inBrowser = typeof document !== "undefined";
    const identity = {
      deviceId: options.deviceId ?? deviceId(options.storage, this.#environment),
      platform: wire.platformTo(options.platform ?? (inBrowser ? "web" : "server")),
      client: CLIENT,
    };
    const { now, wallClock, random } = this.#environment;
    this.#core = new Core(identity, random, (time) => wallClock() + time - now(), wallClock());
    this.list = this.#core.list;
    this.local = this.#openLocal(options);
    this.media = new Media({
      environment: this.#environment,
      base: new URL(".", this.#url.replace(/^ws/, "http")).href,
      token: (renew) => this.#tokenOf(renew),
      uploads: () => this.local.uploads(),
      keep: (upload) => this.local.keepUpload(upload),
      forget: (key) => this.local.forgetUpload(key),
    });
  }

  /** The signed-in user; empty before the first connection. */
  get userId(): string {
    return this.#core.userId;
  }

  /** The same object until it changes. */
  get state(): ConnectionState {
    return this.#core.state;
  }

  /** Calls `listener` at every such event until the function that is returned is called. */
  on<K extends keyof Events>(name: K, listener: Listener<K>): () => void {
    return this.#emitter.on(name, listener);
  }

  /**
   * Connects and stays connected. Resolves with the first connection; rejects when it is over
   * before there was one. Failures between are not told here but as `connection` events.
   */
  connect(): Promise<void> {
    this.#wanted = true;
    const connected = new Promise<void>((resolve, reject) => {
      if (this.state.state === "connected") resolve();
      const stop = this.on("connection", (state) => {
        if (state.state === "connected") resolve();
        else if (state.state === "closed") reject(state.error ?? notReachable("disconnected"));
        else return;
        stop();
      });
      if (this.state.state === "connected") stop();
      this.#whenOpen(() => {
        if (this.#wanted) return;
        stop();
        reject(notReachable("disconnected"));
      });
    });
    // Those who listen to events need not handle the promise as well.
    connected.catch(() => {});
    this.#unwatch ??= this.#environment.watchNetwork?.((hint) =>
      this.#input((now) => (hint === "up" ? this.#core.retryNow(now) : this.#core.probe(now))),
    );
    this.#whenOpen(() => {
      // It may have been taken back while the local database was opened.
      if (!this.#wanted) return;
      this.#input((now) => this.#core.start(now));
      // What an earlier page left unsent, and what this one took over.
      for (const saved of this.outgoing.waiting()) this.#transmit(saved);
    });
    return connected;
  }

  /**
   * Ends the connection; whatever was not sent yet fails. `connect()` begins anew. To let go of the
   * local database as well, so that another client takes over, call `close()`.
   */
  disconnect(): void {
    this.#wanted = false;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#input((now) => this.#core.stop(now));
  }

  /**
   * Ends the connection and lets go of the local database. Promises of messages that were not sent
   * reject; those that are stored here are sent by the next client that opens the database. This
   * client is of no more use.
   */
  close(): void {
    this.#closed = true;
    this.disconnect();
    this.local.close();
  }

  /** Ends the session on the server, too: it is signed out at once, not after a silence. */
  async logout(): Promise<void> {
    try {
      if (this.state.state === "connected") {
        await this.ask("action", { case: "logout", value: create(LogoutSchema) }, "done");
      }
    } catch {
      // Signed out or out of reach: either way there is nothing left to end.
    } finally {
      this.inRooms((rooms) => rooms.clear(notReachable("signed out")));
      this.disconnect();
    }
  }

  /** Tries at once instead of at `retryAt`; or checks that the connection still lives. */
  retryNow(): void {
    this.#input((now) => this.#core.retryNow(now));
  }

  /**
   * Sends a message; resolves when it is on the server's disk. Messages of one conversation go
   * out in the order of the calls. While reconnecting they wait. See `outbox.ts` for retries.
   *
   * Rejects with `SERVER_NOT_REACHABLE` (300) when there was no answer twice, with
   * `MESSAGE_WEBSOCKET_DISCONNECTED` (510) when there is no connection and none being made, with
   * the server's error when it refused, and when too much is waiting. In each case the message
   * stays in `outgoing` as one that failed, to be sent again or discarded.
   */
  send(conversation: string, sendable: Sendable, options: SendOptions = {}): Promise<Message> {
    const { mention } = options;
    const saved: SavedOutgoing = {
      conversation,
      clientMessageId: options.clientMessageId ?? this.newMessageId(),
      content: wire.contentFrom(sendable),
      readUpTo: options.readUpTo ?? 0,
      mention: mention && wire.wholeMention(mention),
      targets: [...(options.targets ?? [])],
      uncounted: options.uncounted ?? false,
      receiptWanted: options.receiptWanted ?? false,
      burnAfterSeconds: options.burnAfterSeconds ?? 0,
      order: this.#nextOrder(),
      holder: this.local.holder,
      createdTime: Math.round(this.#environment.wallClock()),
      firstTry: undefined,
      failed: undefined,
    };
    return this.#dispatch(saved);
  }

  /** Sends a message that failed again, with the same id: it can't be stored twice. */
  resend(conversation: string, clientMessageId: string): Promise<Message> {
    const saved = this.outgoing.saved(conversation, clientMessageId);
    if (!saved?.failed) return Promise.reject(invalid(`${clientMessageId} did not fail`));
    return this.#dispatch({ ...saved, order: this.#nextOrder(), failed: undefined });
  }

  /** Forgets a message that failed. */
  discard(conversation: string, clientMessageId: string): void {
    if (!this.outgoing.saved(conversation, clientMessageId)?.failed) return;
    this.outgoing.remove(conversation, clientMessageId);
    void this.local.write([{ remove: "outgoing", conversation, clientMessageId }]);
  }

  /**
   * Sends what is worth something only now, such as that somebody is typing: to those who are
   * connected, once or never. It is not stored, here or there, and never unread.
   */
  async sendTransient(conversation: string, sendable: Sendable): Promise<void> {
    const value = create(SendMessageSchema, {
      conversation,
      clientMessageId: this.newMessageId(),
      content: wire.contentTo(sendable),
      transient: true,
    });
    await this.ask("action", { case: "sendMessage", value }, "sendMessage", () => {});
  }

  /**
   * Leaves a message with the server, which sends it in the user's name when this connection is
   * lost; not after `logout()`. It ends with the connection: set it anew after each.
   */
  async setWill(conversation: string, sendable: Sendable): Promise<void> {
    const message = create(SendMessageSchema, {
      conversation,
      clientMessageId: this.newMessageId(),
      content: wire.contentTo(sendable),
    });
    await this.ask(
      "action",
      { case: "setWill", value: create(SetWillSchema, { message }) },
      "done",
    );
  }

  /** An id for `clientMessageId`, for an application that stores a message before it sends it. */
  newMessageId(): string {
    return this.#environment.uniqueId();
  }

  /** What a screen of one conversation needs: history, live messages and those being sent. */
  timeline(conversation: string): Timeline {
    return new Timeline(this, conversation);
  }

  /** @internal */
  protected override core(): Core {
    return this.#core;
  }

  /** @internal */
  protected override inRooms(input: (rooms: Rooms) => void): void {
    this.#whenOpen(() => this.#input((now) => this.#core.inRooms(input, now)));
  }

  /** @internal */
  protected override ask<C extends wire.Result["case"], T = void>(
    kind: Kind,
    command: wire.Command,
    expected: C,
    convert?: (value: Answer<C>) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (result: wire.Result): void => {
        if (result.case !== expected) throw brokenProtocol(`${command.case}: ${result.case}`);
        resolve(convert?.(result.value as never) as T);
      };
      const job: Job = { kind, command: () => command, done, failed: reject };
      this.#whenOpen(() => this.#input((now) => this.#core.add(job, now)));
    });
  }

  #nextOrder(): number {
    this.#lastOrder = Math.max(this.#lastOrder + 1, this.#environment.wallClock() * 1000);
    return this.#lastOrder;
  }

  /** Keeps a message, then sends it. */
  #dispatch(saved: SavedOutgoing): Promise<Message> {
    const full = this.outgoing.pending >= JOBS_MAX;
    this.outgoing.put(saved, "storing");
    if (full) {
      // What was written is not lost: it is shown as failed, like everything that is refused.
      const error = overloaded("too much is waiting to be sent");
      this.#failed(saved, error);
      return Promise.reject(error);
    }
    const stored = this.local.write([{ put: "outgoing", outgoing: saved }]);
    return new Promise((resolve, reject) => {
      const go = (): void => {
        this.outgoing.put(saved, "sending");
        this.#transmit(saved, resolve, reject);
      };
      if (stored) void stored.then(go);
      else go();
    });
  }

  #transmit(
    saved: SavedOutgoing,
    resolve: (message: Message) => void = () => {},
    reject: (error: AnserError) => void = () => {},
  ): void {
    const { conversation, clientMessageId } = saved;
    this.outgoing.transmitting(saved);
    let { firstTry } = saved;
    const job: Job = {
      kind: "message",
      lane: conversation,
      bytes: saved.content.body.length,
      command: (now) => {
        if (firstTry === undefined) {
          firstTry = now;
          void this.local.write([{ put: "outgoing", outgoing: { ...saved, firstTry } }]);
        }
        return { case: "sendMessage", value: wire.sendTo(saved, firstTry) };
      },
      done: (result) => {
        if (result.case !== "sendMessage") throw brokenProtocol("send was answered otherwise");
        const { seq, messageId, time, prev } = result.value;
        const place = { seq: wire.safeNumber(seq), id: messageId, time: wire.safeNumber(time) };
        const message = wire.ownMessage(saved, this.userId, place);
        // It may have been pulled before this answer came.
        if (this.#core.isPast(conversation, message.seq)) {
          this.outgoing.remove(conversation, clientMessageId);
        } else {
          this.outgoing.sent(saved, message.seq);
        }
        void this.local.write([{ remove: "outgoing", conversation, clientMessageId }]);
        this.#core.stored(message, wire.safeNumber(prev));
        resolve(message);
      },
      failed: (error) => {
        // Once this client is closed, what is stored waits for the next one.
        if (!this.#closed) this.#failed({ ...saved, firstTry }, error);
        reject(error);
      },
    };
    this.#input((now) => this.#core.addMessage(job, now));
  }

  #failed(saved: SavedOutgoing, error: AnserError): void {
    const forgotten = this.outgoing.failed(saved, error);
    const failed = { code: error.code, name: error.codeName };
    void this.local.write([
      { put: "outgoing", outgoing: { ...saved, failed } },
      ...forgotten.map(
        ({ conversation, clientMessageId }) =>
          ({ remove: "outgoing", conversation, clientMessageId }) as const,
      ),
    ]);
  }

  #openLocal(options: ClientOptions): Local {
    const { host } = new URL(this.#url);
    const name = `anser ${host} ${options.user ?? ""}`;
    const locks = options.locks ?? webLocks();
    const lost = (error: unknown): void => this.local.lost(error);
    // Without locks, two tabs could not tell who of them writes.
    const indexed = options.user !== undefined && locks && typeof indexedDB !== "undefined";
    const { timer } = this.#environment;
    const database =
      options.database ?? (indexed ? new IndexedDatabase(name, lost, timer) : new MemoryDatabase());
    const shared = options.database !== undefined || indexed;
    const among = shared && locks ? locks : processLocks();
    return new Local(database, name, this.#environment.uniqueId(), among, {
      loaded: (loaded) => this.#loaded(loaded),
      adopted: (outgoing) => this.#adopted(outgoing),
      owned: () => this.#core.everything(),
      wallClock: () => this.#environment.wallClock(),
      failed: (error) => this.#emitter.emit("storage", error),
    });
  }

  #loaded(loaded: Loaded): void {
    this.#core.restore(loaded);
    this.list.notify();
  }

  /** What a client that is gone was to send. */
  #adopted(left: readonly SavedOutgoing[]): void {
    for (const saved of left) {
      const { failed } = saved;
      this.#lastOrder = Math.max(this.#lastOrder, saved.order);
      if (failed) this.outgoing.put(saved, "failed", new AnserError(failed.code, failed.name, ""));
      else this.outgoing.put(saved, "sending");
    }
    if (this.state.state === "closed") return;
    for (const saved of this.outgoing.waiting()) this.#transmit(saved);
  }

  /** At once, or when the local database is there. */
  #whenOpen(run: () => void): void {
    if (this.local.isOpen) run();
    else void this.local.ready.then(run);
  }

  /** Tells the core what happened, and carries out what follows. */
  #input(input: (now: number) => void): void {
    input(this.#environment.now());
    // A listener that calls a method gets here again; the loop below goes on with it.
    if (this.#driving) return;
    this.#driving = true;
    try {
      for (let effects = this.#core.take(); effects.length > 0; effects = this.#core.take()) {
        for (const effect of effects) this.#perform(effect);
      }
    } finally {
      this.#driving = false;
    }
    this.list.notify();
    this.#armTimer();
  }

  #perform(effect: CoreEffect): void {
    switch (effect.do) {
      case "event":
        this.#observe(effect);
        this.#emitter.emit(effect.name, effect.event);
        break;
      case "store":
        void this.local.write(effect.changes);
        break;
      case "forget":
        this.outgoing.clear();
        this.local.clear();
        break;
      case "send":
        this.#socket?.send(effect.frame);
        break;
      case "close":
        this.#closeSocket();
        break;
      case "token":
        this.#fetchToken(effect.renew);
        break;
      case "open":
        this.#open();
        break;
    }
  }

  /** What follows from an event for messages on their way. */
  #observe(effect: CoreEffect & { do: "event" }): void {
    if (effect.name === "message") this.outgoing.delivered(effect.event);
    else if (effect.name === "skipped") this.outgoing.forgetSent(effect.event.conversation);
  }

  #closeSocket(): void {
    this.#attempt += 1;
    this.#socket?.close();
    this.#socket = undefined;
  }

  #fetchToken(renew: boolean): void {
    const attempt = ++this.#attempt;
    const told = (tell: (now: number) => void): void => {
      if (attempt === this.#attempt) this.#input(tell);
    };
    const token = this.#token;
    if (token !== undefined && !renew) {
      queueMicrotask(() => told((now) => this.#core.tokenReady(token, now)));
      return;
    }
    this.#getToken().then(
      (fresh) => {
        this.#token = fresh;
        told((now) => this.#core.tokenReady(fresh, now));
      },
      (error: unknown) => {
        const reason = error instanceof AnserError ? error : notReachable(`no token: ${error}`);
        told((now) => this.#core.tokenFailed(reason, now));
      },
    );
  }

  /** For requests beside the connection. */
  async #tokenOf(renew: boolean): Promise<string> {
    if (this.#token === undefined || renew) this.#token = await this.#getToken();
    return this.#token;
  }

  #open(): void {
    this.#closeSocket();
    const attempt = this.#attempt;
    const told = (tell: (now: number) => void): void => {
      if (attempt === this.#attempt) this.#input(tell);
    };
    this.#socket = this.#transport(this.#url, SUBPROTOCOL, {
      opened: () => told((now) => this.#core.socketOpened(now)),
      received: (frame) => told((now) => this.#core.received(frame, now)),
      closed: (reason) => told((now) => this.#core.socketClosed(reason, now)),
    });
  }

  #armTimer(): void {
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
    const { deadline } = this.#core;
    if (deadline === undefined) return;
    // Timers may come a little early; a millisecond more keeps them from coming twice.
    const wait = Math.max(0, Math.ceil(deadline - this.#environment.now())) + 1;
    this.#cancelTimer = this.#environment.timer(wait, () => {
      this.#cancelTimer = undefined;
      this.#input((now) => this.#core.tick(now));
    });
  }
}

/** The address of the WebSocket endpoint. */
function endpoint(url: string): string {
  let parsed: URL;
  try {
    parsed = new URL(url);
  } catch {
    throw invalid(`${JSON.stringify(url)} is not an address`);
  }
  parsed.protocol = parsed.protocol.replace(/^http/, "ws");
  if (parsed.protocol !== "ws:" && parsed.protocol !== "wss:") {
    throw invalid(`${parsed.protocol} is neither http(s) nor ws(s)`);
  }
  if (parsed.pathname === "/") parsed.pathname = "/v1/connect";
  return parsed.href;
}

function deviceId(given: Storage | undefined, environment: Environment): string {
  try {
    const storage = given ?? (typeof document === "undefined" ? undefined : localStorage);
    const kept = storage?.getItem(DEVICE_KEY);
    if (kept) return kept;
    const chosen = environment.uniqueId();
    storage?.setItem(DEVICE_KEY, chosen);
    return chosen;
  } catch {
    // Storage is forbidden here, as in some private windows.
    return environment.uniqueId();
  }
}
