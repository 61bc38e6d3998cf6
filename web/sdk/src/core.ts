/**
 * The client without a world: connection, outbox, streams, feed and list put together.
 *
 * Inputs are methods that take the time; `take()` gives what is to be done, in order, and events
 * for the application. Nothing here waits, so a test decides what happens when. The parts don't
 * know one another; what one of them wants of another passes through here.
 */
import { create } from "@bufbuild/protobuf";

import { Connection, type Identity, type Phase } from "./connection.js";
import { ConversationList } from "./conversation-list.js";
import { AnserError, brokenProtocol, disconnected } from "./errors.js";
import {
  type Conversation as WireConversation,
  type ServerItem,
  type Sync,
  PullMessagesSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { type Job, Outbox } from "./outbox.js";
import { Streams } from "./streams.js";
import { Feed } from "./sync.js";
import type { ConnectionState, Events, Message, ReadPosition } from "./types.js";
import { conversationFrom, decodeFrame, messageFrom, safeNumber } from "./wire.js";

/** Messages in one page of a pull: the most that a server gives. */
const PULL_LIMIT = 100;
/** Conversations that are caught up with after one sync; of the others, messages are skipped. */
const CATCH_UPS_MAX = 100;

/** Messages held until the sync is complete; beyond, another sync brings them. */
const EARLY_MAX = 200;

export type CoreEffect =
  | { readonly do: "token"; readonly renew: boolean }
  | { readonly do: "open" }
  | { readonly do: "send"; readonly frame: Uint8Array }
  | { readonly do: "close" }
  | {
      [K in keyof Events]: { readonly do: "event"; readonly name: K; readonly event: Events[K] };
    }[keyof Events];

export class Core {
  readonly list = new ConversationList();
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #streams: Streams;
  #feed: Feed;
  #effects: CoreEffect[] = [];
  #userId = "";
  #sessionId = "";
  /** Counts connections: an answer that belongs to an earlier one changes nothing. */
  #generation = 0;
  /** Rows of the running sync: newest message of each. */
  readonly #newest = new Map<string, number>();
  /** Messages of unknown conversations that came while a sync was running. */
  readonly #early: { readonly message: Message; readonly prev: number }[] = [];
  #state: ConnectionState = { state: "closed", error: undefined };
  #now = 0;
  readonly #unixTime: (now: number) => number;

  /**
   * `unixTime` turns a time of the inputs' clock into Unix milliseconds; `bornAt` is such a time,
   * when the client was made.
   */
  constructor(
    identity: Identity,
    random: () => number,
    unixTime: (now: number) => number,
    bornAt: number,
  ) {
    this.#unixTime = unixTime;
    this.#connection = new Connection(identity, random, bornAt);
    this.#outbox = new Outbox(
      {
        send: (command) =>
          this.#connection.phase.is === "connected" ? this.#connection.request(command) : undefined,
        serverTime: (now) => Math.round(now + this.#connection.clockAhead),
      },
      random,
    );
    this.#streams = new Streams({
      deliver: (message) => this.#deliver(message),
      skipped: (skipped) => this.#emit("skipped", skipped),
      pull: (conversation, from) => this.#pull(conversation, from),
    });
    this.#feed = this.#newFeed();
  }

  /** The signed-in user; empty before the first connection. */
  get userId(): string {
    return this.#userId;
  }

  /** The same object until it changes. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** When `tick` wants to be called. */
  get deadline(): number | undefined {
    const connected = this.#connection.phase.is === "connected";
    const times = [this.#connection.deadline, this.#outbox.deadline(connected)];
    return times.reduce((a, b) => (a === undefined ? b : b === undefined ? a : Math.min(a, b)));
  }

  /** What is to be done, in order; forgets it. */
  take(): CoreEffect[] {
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  start(now: number): void {
    this.#run(now, () => this.#connection.start(now));
  }

  stop(now: number): void {
    this.#run(now, () => this.#connection.stop());
  }

  tokenReady(token: string, now: number): void {
    this.#run(now, () => this.#connection.tokenReady(token, now));
  }

  tokenFailed(error: AnserError, now: number): void {
    this.#run(now, () => this.#connection.tokenFailed(error, now));
  }

  socketOpened(now: number): void {
    this.#run(now, () => this.#connection.socketOpened(now));
  }

  socketClosed(reason: string, now: number): void {
    this.#run(now, () => this.#connection.socketClosed(reason, now));
  }

  received(frame: Uint8Array, now: number): void {
    this.#run(now, () => this.#connection.received(decodeFrame(frame), now));
  }

  retryNow(now: number): void {
    this.#run(now, () => this.#connection.retryNow(now));
  }

  probe(now: number): void {
    this.#run(now, () => this.#connection.probe(now));
  }

  tick(now: number): void {
    this.#run(now, () => {
      this.#connection.tick(now);
      if (this.#outbox.tick(now)) {
        this.#connection.restart(new AnserError(300, "SERVER_NOT_REACHABLE", "no answer"), now);
      }
    });
  }

  /** Puts a request on its way. Without a connection in sight it fails at once. */
  add(job: Job, now: number): void {
    this.#run(now, () => {
      const { phase } = this.#connection;
      if (phase.is === "closed") job.failed(phase.error ?? disconnected("connect() first"));
      else this.#outbox.add(job, now);
    });
  }

  /** Like `add`, for messages: whatever ended the connection, the error is the one of messages. */
  addMessage(job: Job, now: number): void {
    if (this.#connection.phase.is === "closed") job.failed(disconnected("there is no connection"));
    else this.add(job, now);
  }

  /** An own message was stored: it takes its place in the order. */
  stored(message: Message, prev: number): void {
    this.#streams.offerOwn(message, prev);
  }

  /** A page from the newest message downwards was read. */
  looked(conversation: string, head: number): void {
    this.#streams.seed(conversation, head);
    this.#streams.use(conversation);
  }

  /** The user's read position is here. */
  readUpTo(position: ReadPosition): void {
    this.list.read(position);
    this.#emit("read", position);
  }

  #run(now: number, input: () => void): void {
    this.#now = now;
    try {
      input();
      this.#settle();
    } catch (error) {
      // Only what the server sent can be at fault here; a new connection and a sync repair it.
      const reason = error instanceof AnserError ? error : brokenProtocol(String(error));
      this.#connection.restart(reason, now);
      this.#settle();
    }
  }

  #settle(): void {
    for (;;) {
      const effects = this.#connection.take();
      for (const effect of effects) {
        if (effect.do === "phase") this.#entered(effect.phase);
        else if (effect.do === "response") this.#answered(effect.id, effect.result);
        else if (effect.do === "item") this.#receivedItem(effect.item);
        else if (effect.do === "pong") this.#feed.told(effect.feedVersion);
        else this.#effects.push(effect);
      }
      this.#outbox.pump(this.#now);
      if (effects.length === 0 && !this.#connection.hasEffects) return;
    }
  }

  #entered(phase: Phase): void {
    if (phase.is === "waiting" || phase.is === "closed") {
      this.#generation += 1;
      this.#streams.connectionLost();
      this.#feed.abandoned();
      this.#early.length = 0;
      this.#outbox.connectionLost();
    }
    // The steps of connecting are one state to the application.
    if (phase.is !== "socket" && phase.is !== "hello") {
      if (phase.is === "connected") this.#welcomed(phase.welcome.userId, phase.welcome.sessionId);
      this.#state = this.#describe(phase);
      this.#emit("connection", this.#state);
    }
    if (phase.is === "connected") this.#feed.start();
    if (phase.is === "closed") {
      this.#outbox.close(disconnected("the connection is closed"));
      this.#emit("closed", phase.error);
    }
  }

  #welcomed(userId: string, sessionId: string): void {
    if (this.#userId !== "" && this.#userId !== userId) {
      this.#feed = this.#newFeed();
      this.#streams.forgetAll();
      this.list.clear();
      this.#emit("reset", { epochChanged: true });
    }
    this.#userId = userId;
    this.#sessionId = sessionId;
  }

  #describe(phase: Phase): ConnectionState {
    switch (phase.is) {
      case "closed":
        return { state: "closed", error: phase.error };
      case "waiting": {
        const { until, error } = phase;
        const retryAt = Math.round(this.#unixTime(until));
        return { state: "waiting", retryAt, failures: this.#connection.failures, error };
      }
      case "connected":
        return { state: "connected", userId: this.#userId, sessionId: this.#sessionId };
      default:
        return { state: "connecting" };
    }
  }

  #answered(id: number, result: Parameters<Outbox["answered"]>[1]): void {
    const refusal = this.#outbox.answered(id, result, this.#now);
    if (refusal) this.#connection.heed(refusal, this.#now);
  }

  #receivedItem(item: ServerItem["item"]): void {
    switch (item.case) {
      case "message": {
        this.#offer(messageFrom(item.value.message), safeNumber(item.value.prev));
        break;
      }
      case "read": {
        const { conversation, readSeq, unread } = item.value;
        this.readUpTo({ conversation, readSeq: safeNumber(readSeq), unread: safeNumber(unread) });
        break;
      }
      case "conversation": {
        const row = this.#put(item.value.conversation);
        if (row.member) {
          // A conversation that appears is news from its beginning. Before there was a sync it may
          // be an old one; its newest message comes as a push.
          const newest = row.newest ? row.newest.seq - 1 : row.headSeq;
          this.#streams.seed(row.id, this.#feed.hasSynced ? row.firstSeq - 1 : newest);
        }
        this.#feed.pushed(item.value);
        break;
      }
      case "check":
        this.#feed.start();
        break;
      default:
      // An item younger than this client: whatever it says, old clients live without it.
    }
  }

  #offer(message: Message, prev: number): void {
    const { conversation } = message;
    const known = this.#streams.position(conversation) !== undefined;
    if (known || !this.#feed.hasSynced) {
      this.#streams.offer(message, prev);
    } else if (!this.#feed.running) {
      // A conversation that is new. Its row was missed, or comes behind; the sync finds out.
      this.#streams.offer(message, prev);
      this.#feed.start();
    } else if (this.#early.length < EARLY_MAX) {
      // The sync may tell of messages before this one, and they come first.
      this.#early.push({ message, prev });
    } else {
      this.#feed.start();
    }
  }

  #newFeed(): Feed {
    return new Feed({
      ask: (sync) => this.#sync(sync),
      open: () => this.#streams.open(),
      reset: (epochChanged) => {
        this.list.clear();
        if (epochChanged) this.#streams.forgetAll();
        this.#emit("reset", { epochChanged });
      },
      row: (row, first) => this.#syncedRow(row, first),
      page: (page) => this.#streams.page(page, false),
      complete: () => this.#synced(),
    });
  }

  #syncedRow(wire: WireConversation, first: boolean): void {
    const row = this.#put(wire);
    if (!row.member) return;
    // A conversation that appeared since the last sync is news from its beginning.
    this.#streams.seed(row.id, first ? row.headSeq : row.firstSeq - 1, wire.rev);
    if (row.newest) this.#newest.set(row.id, row.newest.seq);
  }

  #put(wire: WireConversation | undefined): ReturnType<typeof conversationFrom> {
    const row = conversationFrom(wire);
    this.list.put(row);
    if (!row.member) this.#streams.forget(row.id);
    this.#emit("conversation", this.list.get(row.id) ?? row);
    return row;
  }

  #synced(): void {
    let left = CATCH_UPS_MAX;
    for (const [conversation, newest] of this.#newest) {
      const position = this.#streams.position(conversation);
      if (position === undefined || position >= newest) continue;
      if (left > 0) this.#streams.catchUp(conversation, newest);
      else this.#streams.skipTo(conversation, newest);
      left -= 1;
    }
    this.#newest.clear();
    for (const { message, prev } of this.#early.splice(0)) this.#streams.offer(message, prev);
    this.#emit("synced", undefined);
  }

  #sync(sync: Sync): void {
    if (sync.cursor === "") this.#newest.clear();
    const generation = this.#generation;
    const job: Job = {
      kind: "connection",
      command: () => ({ case: "sync", value: sync }),
      done: (result) => {
        if (generation !== this.#generation) return;
        if (result.case !== "sync") throw brokenProtocol(`sync was answered with ${result.case}`);
        this.#feed.answered(result.value);
      },
      failed: (error) => {
        if (generation !== this.#generation) return;
        this.#feed.abandoned();
        this.#unlessFinal(error);
      },
    };
    this.#outbox.add(job, this.#now);
  }

  #pull(conversation: string, from: number): void {
    const generation = this.#generation;
    const pull = create(PullMessagesSchema, {
      conversation,
      fromSeq: BigInt(from),
      limit: PULL_LIMIT,
    });
    const job: Job = {
      kind: "connection",
      command: () => ({ case: "pullMessages", value: pull }),
      done: (result) => {
        if (generation !== this.#generation) return;
        if (result.case !== "messages") throw brokenProtocol(`a pull brought ${result.case}`);
        this.#streams.page(result.value, true);
      },
      failed: (error) => {
        if (generation !== this.#generation) return;
        const final = error.action === "give-up" && error.code >= 1000;
        this.#streams.pullFailed(conversation, final);
        this.#unlessFinal(error);
      },
    };
    this.#outbox.add(job, this.#now);
  }

  /** What keeps this client complete failed though it was retried: begin anew. */
  #unlessFinal(error: AnserError): void {
    if (error.action !== "give-up" || error.code < 1000) this.#connection.restart(error, this.#now);
  }

  #deliver(message: Message): void {
    this.list.message(message, this.#userId);
    this.#emit("message", message);
  }

  #emit<K extends keyof Events>(name: K, event: Events[K]): void {
    this.#effects.push({ do: "event", name, event } as CoreEffect);
  }
}
