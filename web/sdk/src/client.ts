/**
 * The client of an application: carries out what the core decides, with real sockets, timers and
 * tokens, and offers every command as a method.
 *
 * Nothing is sent before `connect()`. From then on the client keeps itself connected and complete
 * until `disconnect()`, `logout()`, or an error that is final. Methods may be called at any time
 * between: what can't be sent yet waits, within the limits told at `send` and `#ask`.
 */
import { create } from "@bufbuild/protobuf";

import { Core, type CoreEffect } from "./core.js";
import { AnserError, brokenProtocol, invalid, notReachable } from "./errors.js";
import { Emitter, type Listener } from "./emitter.js";
import { type Environment, type Socket, type Transport, systemEnvironment } from "./environment.js";
import {
  AddGroupMembersSchema,
  CreateGroupSchema,
  DismissGroupSchema,
  GetGroupSchema,
  ListConversationsSchema,
  ListGroupMembersSchema,
  LogoutSchema,
  MarkReadSchema,
  PullMessagesSchema,
  QuitGroupSchema,
  RemoveGroupMembersSchema,
  SendMessageSchema,
} from "./gen/anser/client/v1/client_pb.js";
import type { ConversationList } from "./conversation-list.js";
import type { Job } from "./outbox.js";
import { Timeline } from "./timeline.js";
import { webSocket } from "./transport.js";
import type {
  ConnectionState,
  Content,
  ConversationPage,
  Events,
  Group,
  GroupMemberPage,
  HistoryPage,
  Message,
  Platform,
  ReadPosition,
  Sendable,
} from "./types.js";
import * as wire from "./wire.js";

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
  transport?: Transport;
  environment?: Environment;
}

export interface SendOptions {
  /** 1–64 bytes, unique per sender and conversation; sending it again gives the first result. */
  clientMessageId?: string;
  /** The user has read up to here. */
  readUpTo?: number;
}

export interface HistoryOptions {
  /** Messages below this sequence; without it and `after`: the newest. */
  before?: number;
  /** Messages above this sequence. */
  after?: number;
  /** 1–100; 50 unless told. */
  limit?: number;
}

export class AnserClient {
  /** The conversation list, kept up to date; with `subscribe` and `getSnapshot` for any framework. */
  readonly list: ConversationList;
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

  constructor(options: ClientOptions) {
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
    const connected = new Promise<void>((resolve, reject) => {
      if (this.state.state === "connected") resolve();
      const stop = this.on("connection", (state) => {
        if (state.state === "connected") resolve();
        else if (state.state === "closed") reject(state.error ?? notReachable("disconnected"));
        else return;
        stop();
      });
      if (this.state.state === "connected") stop();
    });
    // Those who listen to events need not handle the promise as well.
    connected.catch(() => {});
    this.#unwatch ??= this.#environment.watchNetwork?.((hint) =>
      this.#input((now) => (hint === "up" ? this.#core.retryNow(now) : this.#core.probe(now))),
    );
    this.#input((now) => this.#core.start(now));
    return connected;
  }

  /** Ends the connection; whatever was not sent yet fails. `connect()` begins anew. */
  disconnect(): void {
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#input((now) => this.#core.stop(now));
  }

  /** Ends the session on the server, too: it is signed out at once, not after a silence. */
  async logout(): Promise<void> {
    try {
      if (this.state.state === "connected") {
        await this.#ask("action", { case: "logout", value: create(LogoutSchema) }, "done");
      }
    } catch {
      // Signed out or out of reach: either way there is nothing left to end.
    } finally {
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
   * `MESSAGE_WEBSOCKET_DISCONNECTED` (510) when there is no connection and none being made, and
   * with the server's error when it refused.
   */
  send(conversation: string, sendable: Sendable, options: SendOptions = {}): Promise<Message> {
    const content = wire.contentFrom(sendable);
    const clientMessageId = options.clientMessageId ?? this.newMessageId();
    const readUpTo = BigInt(options.readUpTo ?? 0);
    return new Promise((resolve, reject) => {
      const job: Job = {
        kind: "message",
        lane: conversation,
        bytes: content.body.length,
        command: (firstTry) => ({
          case: "sendMessage",
          value: create(SendMessageSchema, {
            conversation,
            clientMessageId,
            content: { type: content.type, body: content.body },
            firstTryTime: BigInt(firstTry),
            readUpTo,
          }),
        }),
        done: (result) => {
          if (result.case !== "sendMessage") throw brokenProtocol("send was answered otherwise");
          const { seq, messageId, time, prev } = result.value;
          const message = this.#ownMessage(content, {
            conversation,
            clientMessageId,
            seq: wire.safeNumber(seq),
            id: messageId,
            time: wire.safeNumber(time),
          });
          this.#core.stored(message, wire.safeNumber(prev));
          resolve(message);
        },
        failed: reject,
      };
      this.#input((now) => this.#core.addMessage(job, now));
    });
  }

  /** An id for `clientMessageId`, for an application that stores a message before it sends it. */
  newMessageId(): string {
    return this.#environment.uniqueId();
  }

  /** A page of a conversation: the newest, or those before or after a sequence. */
  async history(conversation: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const { before, after, limit = 50 } = options;
    const value = create(PullMessagesSchema, {
      conversation,
      fromSeq: BigInt(after ?? before ?? 0),
      descending: after === undefined,
      limit,
    });
    // Nothing is below the first one; 0 would mean the newest.
    if (after === undefined && before !== undefined && before <= 1) {
      return { messages: [], more: false, headSeq: 0, firstSeq: 1 };
    }
    return this.#ask("question", { case: "pullMessages", value }, "messages", (result) => {
      const page = wire.historyFrom(result);
      if (before === undefined && after === undefined) {
        this.#core.looked(conversation, page.headSeq);
      }
      return page;
    });
  }

  /** Everything up to `seq` is read. Never moves back; other devices of the user hear of it. */
  async markRead(conversation: string, seq: number): Promise<ReadPosition> {
    const value = create(MarkReadSchema, { conversation, seq: BigInt(seq) });
    return this.#ask("question", { case: "markRead", value }, "markRead", (result) => {
      const readSeq = wire.safeNumber(result.readSeq);
      const position = { conversation, readSeq, unread: wire.safeNumber(result.unread) };
      this.#core.readUpTo(position);
      return position;
    });
  }

  /** A page of the conversation list as the server has it; `list` has it without asking. */
  async conversations(
    options: { cursor?: string; limit?: number } = {},
  ): Promise<ConversationPage> {
    const value = create(ListConversationsSchema, options);
    const command = { case: "listConversations", value } as const;
    return this.#ask("question", command, "conversations", (page) => ({
      conversations: page.conversations.map(wire.conversationFrom),
      cursor: page.cursor,
    }));
  }

  /** What a screen of one conversation needs: history, live messages and those being sent. */
  timeline(conversation: string): Timeline {
    return new Timeline(this, conversation);
  }

  /** Creates a group with this user as its owner; without an id the server chooses one. */
  async createGroup(options: {
    name: string;
    members?: readonly string[];
    id?: string;
  }): Promise<Group> {
    const { name, members = [], id = "" } = options;
    const value = create(CreateGroupSchema, { groupId: id, name, members: [...members] });
    return this.#ask("action", { case: "createGroup", value }, "group", wire.groupFrom);
  }

  async addGroupMembers(groupId: string, members: readonly string[]): Promise<Group> {
    const value = create(AddGroupMembersSchema, { groupId, members: [...members] });
    const command = { case: "addGroupMembers", value } as const;
    return this.#ask("question", command, "group", wire.groupFrom);
  }

  async removeGroupMembers(groupId: string, members: readonly string[]): Promise<Group> {
    const value = create(RemoveGroupMembersSchema, { groupId, members: [...members] });
    const command = { case: "removeGroupMembers", value } as const;
    return this.#ask("question", command, "group", wire.groupFrom);
  }

  async quitGroup(groupId: string): Promise<void> {
    const value = create(QuitGroupSchema, { groupId });
    await this.#ask("action", { case: "quitGroup", value }, "done");
  }

  /** The owner ends the group for everybody. */
  async dismissGroup(groupId: string): Promise<void> {
    const value = create(DismissGroupSchema, { groupId });
    await this.#ask("action", { case: "dismissGroup", value }, "done");
  }

  async getGroup(groupId: string): Promise<Group> {
    const value = create(GetGroupSchema, { groupId });
    return this.#ask("question", { case: "getGroup", value }, "group", wire.groupFrom);
  }

  async groupMembers(
    groupId: string,
    options: { cursor?: string; limit?: number } = {},
  ): Promise<GroupMemberPage> {
    const value = create(ListGroupMembersSchema, { groupId, ...options });
    const command = { case: "listGroupMembers", value } as const;
    return this.#ask("question", command, "groupMembers", wire.membersFrom);
  }

  /**
   * One request, one answer. Waits for a connection that is being made, up to 20 s. A `question`
   * may be sent twice; an `action` is sent once, and fails when its answer was lost.
   */
  #ask<C extends wire.Result["case"], T = void>(
    kind: "question" | "action",
    command: wire.Command,
    expected: C,
    convert?: (value: Extract<wire.Result, { case: C }>["value"] & object) => T,
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      const done = (result: wire.Result): void => {
        if (result.case !== expected) throw brokenProtocol(`${command.case}: ${result.case}`);
        resolve(convert?.(result.value as never) as T);
      };
      const job: Job = { kind, command: () => command, done, failed: reject };
      this.#input((now) => this.#core.add(job, now));
    });
  }

  #ownMessage(
    content: Content,
    fields: Pick<Message, "conversation" | "clientMessageId" | "seq" | "id" | "time">,
  ): Message {
    return wire.makeMessage({ ...fields, sender: this.userId, counted: true }, content);
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
        this.#emitter.emit(effect.name, effect.event);
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
