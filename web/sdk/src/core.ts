/**
 * The client without a world: connection, outbox, streams, feed and list put together.
 *
 * Inputs are methods that take the time; `take()` gives what is to be done, in order, and events
 * for the application. Nothing here waits, so a test decides what happens when. The parts don't
 * know one another; what one of them wants of another passes through here.
 */
import { create } from "@bufbuild/protobuf";

import { Ahead } from "./ahead.js";
import { Connection, type Identity, type Phase } from "./connection.js";
import { ConversationList } from "./conversation-list.js";
import { AnserError, brokenProtocol, disconnected } from "./errors.js";
import {
  type Conversation as WireConversation,
  type ServerItem,
  type Sync,
  ListMentionsSchema,
  PullChangesSchema,
  PullDeletedSchema,
  PullMessagesSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { joinRequestFrom } from "./group-wire.js";
import { type Job, Outbox } from "./outbox.js";
import { presenceFrom, relationChangeFrom } from "./people-wire.js";
import { Repairs } from "./repairs.js";
import { Rooms } from "./rooms.js";
import type { Change, Loaded, SavedPosition } from "./store/database.js";
import { Streams } from "./streams.js";
import { Feed } from "./sync.js";
import type {
  ConnectionState,
  Conversation,
  Events,
  HistoryPage,
  Message,
  ReadPosition,
} from "./types.js";
import { Versions } from "./versions.js";
import {
  conversationFrom,
  decodeFrame,
  isCommand,
  messageFrom,
  positionFrom,
  receiptsFrom,
  safeNumber,
} from "./wire.js";

/** Messages in one page of a pull: the most that a server gives. */
const PULL_LIMIT = 100;
/** Conversations that are caught up with after one sync; of the others, messages are skipped. */
const CATCH_UPS_MAX = 100;

/** Messages of a conversation that appears which are delivered; those before them are skipped. */
export const NEW_WINDOW = 100;
/** Unread mentions in one answer; of so many it can't be told whether they are all. */
const MENTIONS_MAX = 100;
/** Left conversations whose history is kept; of those left first it goes. */
const LEFT_MAX = 1_000;
/** Messages held until the sync is complete; beyond, another sync brings them. */
const EARLY_MAX = 200;

export type CoreEffect =
  | { readonly do: "token"; readonly renew: boolean }
  | { readonly do: "open" }
  | { readonly do: "send"; readonly frame: Uint8Array }
  | { readonly do: "close" }
  /** To be kept on this device. */
  | { readonly do: "store"; readonly changes: readonly Change[] }
  /** Another user signed in: nothing of the one before may stay. */
  | { readonly do: "forget" }
  | {
      [K in keyof Events]: { readonly do: "event"; readonly name: K; readonly event: Events[K] };
    }[keyof Events];

export class Core {
  readonly list = new ConversationList();
  readonly #connection: Connection;
  readonly #outbox: Outbox;
  readonly #streams: Streams;
  readonly #revs: Versions;
  readonly #deletions: Versions;
  readonly #repairs: Repairs;
  readonly #rooms: Rooms;
  readonly #ahead = new Ahead();
  #changes: Change[] = [];
  #savedFeed = "";
  /** Conversations whose mentions are being counted. */
  readonly #mentions = new Set<string>();
  /** Conversations that were left: what is stored of them is as it was then. */
  readonly #left = new Set<string>();
  #feed: Feed;
  #effects: CoreEffect[] = [];
  #userId = "";
  #sessionId = "";
  /** Rows of the running sync. */
  readonly #rows = new Map<string, Conversation>();
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
    this.#repairs = new Repairs({
      add: (job) => this.#outbox.add(job, this.#now),
      restart: (error) => this.#connection.restart(error, this.#now),
    });
    this.#streams = new Streams({
      deliver: (message, from) => this.#deliver(message, from),
      empty: (conversation, from, to) => this.#store({ put: "range", conversation, from, to }),
      skipped: (skipped) => this.#emit("skipped", skipped),
      pull: (conversation, from) => this.#pull(conversation, from),
    });
    this.#revs = new Versions({
      pull: (conversation, from) => this.#pullChanges(conversation, from),
      tooMany: (conversation) => this.#outdated(conversation),
    });
    this.#deletions = new Versions({
      pull: (conversation, from) => this.#pullDeleted(conversation, from),
      tooMany: (conversation) => this.#outdated(conversation),
    });
    this.#rooms = new Rooms({
      now: () => this.#now,
      closed: () => this.#closed(),
      add: (job) => this.#outbox.add(job, this.#now),
      tell: (event) => this.#emit("room", event),
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
    const times = [
      this.#connection.deadline,
      this.#outbox.deadline(connected),
      this.#rooms.deadline(connected),
    ];
    return times.reduce((a, b) => (a === undefined ? b : b === undefined ? a : Math.min(a, b)));
  }

  /** What is to be done, in order; forgets it. */
  take(): CoreEffect[] {
    this.#saveState();
    const effects = this.#effects;
    this.#effects = [];
    if (this.#changes.length > 0) effects.push({ do: "store", changes: this.#changes });
    this.#changes = [];
    return effects;
  }

  /** What was kept on this device, before anything else happens. */
  restore({ feed, conversations, positions }: Loaded): void {
    if (!feed) return;
    this.#userId = feed.userId;
    this.#feed.restore(feed);
    for (const row of conversations) this.list.restore(row);
    for (const { conversation, position, rev, deletedVersion } of positions) {
      if (this.list.get(conversation)?.member === false) this.#leave(conversation);
      this.#streams.seed(conversation, position);
      this.#revs.seed(conversation, rev);
      this.#deletions.seed(conversation, deletedVersion);
    }
    this.#streams.takeUnsaved();
    this.#revs.takeUnsaved();
    this.#deletions.takeUnsaved();
    this.#savedFeed = JSON.stringify(this.#feed.saved);
  }

  /** All that only one client of a database writes. */
  everything(): readonly Change[] {
    const { saved } = this.#feed;
    const rows = this.list.all().map((row): Change => ({ put: "conversation", row }));
    const positions = this.#streams.known().map((conversation) => this.#position(conversation));
    return [
      { remove: "list" },
      ...rows,
      ...positions.map((position): Change => ({ put: "position", position })),
      ...(saved ? [{ put: "feed", feed: { userId: this.#userId, ...saved } } as const] : []),
    ];
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
      this.#rooms.tick();
    });
  }

  /** Puts a request on its way. Without a connection in sight it fails at once. */
  add(job: Job, now: number): void {
    this.#run(now, () => {
      const closed = this.#closed();
      if (closed) job.failed(closed);
      else this.#outbox.add(job, now);
    });
  }

  /** Joins and leaves chat rooms. */
  inRooms(input: (rooms: Rooms) => void, now: number): void {
    this.#run(now, () => input(this.#rooms));
  }

  /** Like `add`, for messages: whatever ended the connection, the error is the one of messages. */
  addMessage(job: Job, now: number): void {
    if (this.#connection.phase.is === "closed") job.failed(disconnected("there is no connection"));
    else this.add(job, now);
  }

  /** Was this message delivered, or passed over? */
  isPast(conversation: string, seq: number): boolean {
    return (this.#streams.position(conversation) ?? 0) >= seq;
  }

  /** An own message was stored: it takes its place in the order. */
  stored(message: Message, prev: number): void {
    this.#streams.offerOwn(message, prev);
  }

  /** A page was read: every message between that the user may see is in it. */
  looked(conversation: string, page: HistoryPage, from: number, to: number): void {
    const { headSeq, rev, messages } = page;
    if (to >= headSeq) this.#seed(conversation, headSeq, rev);
    this.#streams.use(conversation);
    this.#revs.told(conversation, rev);
    // What was cleared while the page was on its way does not come back with it.
    const firstSeq = this.list.get(conversation)?.firstSeq ?? 0;
    for (const message of messages) if (message.seq >= firstSeq) this.#keep(message);
    const first = Math.max(from, firstSeq);
    if (first <= to) this.#store({ put: "range", conversation, from: first, to });
  }

  /** The user's read position is here. */
  readUpTo(position: ReadPosition): void {
    // What is older than what is known, as a push that was overtaken, tells nothing.
    if (this.list.read(position)) this.#emit("read", position);
  }

  /** An own command changed a message; the change is pulled if its push does not come. */
  changedOwn(conversation: string, rev: number): void {
    this.#revs.told(conversation, rev);
  }

  /** A row that an own command changed. */
  changedRow(wire: WireConversation): Conversation {
    return this.#put(wire);
  }

  /** The user deleted messages on this device; they are pulled if their push does not come. */
  deletedOwn(conversation: string, version: number): void {
    this.#deletions.told(conversation, version);
  }

  #closed(): AnserError | undefined {
    const { phase } = this.#connection;
    return phase.is === "closed" ? (phase.error ?? disconnected("connect() first")) : undefined;
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
      if (this.#connection.phase.is === "connected") this.#rooms.pump();
      this.#outbox.pump(this.#now);
      if (effects.length === 0 && !this.#connection.hasEffects) return;
    }
  }

  #entered(phase: Phase): void {
    if (phase.is === "waiting" || phase.is === "closed") {
      this.#repairs.connectionLost();
      this.#revs.connectionLost();
      this.#deletions.connectionLost();
      this.#mentions.clear();
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
    if (phase.is === "connected") {
      this.#feed.start();
      this.#rooms.enterAgain();
    }
    if (phase.is === "closed") {
      const error = disconnected("the connection is closed");
      this.#outbox.close(error);
      this.#rooms.stop(error);
      this.#emit("closed", phase.error);
    }
  }

  #welcomed(userId: string, sessionId: string): void {
    if (this.#userId !== "" && this.#userId !== userId) {
      const error = disconnected("another user signed in");
      this.#outbox.close(error);
      this.#rooms.clear(error);
      this.#feed = this.#newFeed();
      this.#forgetPositions();
      this.list.clear();
      this.#changes = [];
      this.#effects.push({ do: "forget" });
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
      case "message":
        this.#receivedMessage(messageFrom(item.value.message), safeNumber(item.value.prev));
        break;
      case "change": {
        const message = messageFrom(item.value.message);
        const previous = safeNumber(item.value.previousRev);
        const rev = message.state?.rev ?? 0;
        if (this.#revs.follows(message.conversation, rev, previous)) this.#changed(message);
        break;
      }
      case "deleted": {
        const { conversation } = item.value;
        const version = safeNumber(item.value.deletedVersion);
        const previous = safeNumber(item.value.deletedPrevious);
        if (this.#deletions.follows(conversation, version, previous)) {
          this.#deleted(conversation, item.value.seqs.map(safeNumber));
        }
        break;
      }
      case "read":
        this.readUpTo(positionFrom(item.value.conversation, item.value));
        break;
      case "joinRequest":
        this.#emit("joinRequest", joinRequestFrom(item.value));
        break;
      case "relation":
        this.#emit("relations", relationChangeFrom(item.value));
        break;
      case "presence":
        this.#emit("presence", presenceFrom(item.value));
        break;
      case "receipt":
        this.#emit("receipts", receiptsFrom(item.value));
        break;
      case "conversation": {
        const row = this.#put(item.value.conversation);
        if (row.member && this.#feed.hasSynced) this.#seedNew(row);
        // Before there was a sync it may be an old one; its newest message comes as a push.
        else if (row.member) this.#seed(row.id, (row.newest?.seq ?? row.headSeq + 1) - 1, row.rev);
        this.#follow(row);
        this.#feed.pushed(item.value);
        break;
      }
      case "room":
        this.#rooms.pushed(item.value);
        break;
      case "roomLeft":
        this.#rooms.left(item.value);
        break;
      case "check":
        this.#feed.start();
        this.#rooms.enterAgain();
        break;
      default:
      // An item younger than this client: whatever it says, old clients live without it.
    }
  }

  #receivedMessage(message: Message, prev: number): void {
    // Without a sequence it was not stored: it has no place in the order, and comes once or never.
    if (message.seq === 0) this.#emit("transient", message);
    else this.#offer(message, prev);
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
      open: () =>
        this.#streams.open().map(({ conversation, position }) => ({
          conversation,
          seq: BigInt(position),
          rev: BigInt(this.#revs.version(conversation) ?? 0),
        })),
      reset: (epochChanged) => {
        this.list.clear();
        if (epochChanged) this.#forgetPositions();
        this.#store({ remove: epochChanged ? "synced" : "list" });
        this.#emit("reset", { epochChanged });
      },
      row: (row, first) => this.#syncedRow(row, first),
      page: (page) => {
        this.#streams.page(page, false);
        this.#revs.told(page.conversation, safeNumber(page.rev));
      },
      complete: () => this.#synced(),
    });
  }

  #forgetPositions(): void {
    this.#streams.forgetAll();
    this.#revs.forgetAll();
    this.#deletions.forgetAll();
    this.#ahead.clear();
    this.#left.clear();
  }

  #syncedRow(wire: WireConversation, first: boolean): void {
    const row = this.#put(wire);
    if (!row.member) return;
    if (first) this.#seed(row.id, row.headSeq, row.rev);
    else this.#seedNew(row);
    this.#rows.set(row.id, row);
  }

  /** Follows a conversation from here on, unless it is followed. */
  #seed(conversation: string, position: number, rev: number): void {
    this.#streams.seed(conversation, position);
    this.#revs.seed(conversation, rev);
    this.#deletions.seed(conversation, this.list.get(conversation)?.deletedVersion ?? 0);
  }

  /** A conversation that appeared since the last sync: its newest messages are news. */
  #seedNew({ id, firstSeq, headSeq, rev }: Conversation): void {
    if (this.#streams.position(id) !== undefined) {
      // Its first message came before its row, which tells where changes stand.
      this.#seed(id, headSeq, rev);
      return;
    }
    const from = Math.max(firstSeq - 1, headSeq - NEW_WINDOW, 0);
    this.#seed(id, from, rev);
    if (from < firstSeq) return;
    const skipped = { conversation: id, fromSeq: firstSeq, toSeq: from };
    this.#emit("skipped", { ...skipped, reason: "limit" });
  }

  /** A row tells how far changes and deletions go. */
  #follow({ id, rev, deletedVersion }: Conversation): void {
    this.#revs.told(id, rev);
    this.#deletions.told(id, deletedVersion);
  }

  #put(wire: WireConversation | undefined): Conversation {
    const row = conversationFrom(wire);
    const known = this.list.get(row.id);
    this.list.put(row);
    if (known && row.firstSeq > known.firstSeq) {
      this.#store({ remove: "older", conversation: row.id, below: row.firstSeq });
    }
    if (row.member) {
      // Recalled and deleted meanwhile: nothing tells, and older messages may be shown again.
      if (this.#left.delete(row.id)) this.#outdated(row.id);
    } else {
      if (known?.member || this.#revs.version(row.id) !== undefined) this.#leave(row.id);
      this.#streams.forget(row.id);
      this.#revs.forget(row.id);
      this.#deletions.forget(row.id);
    }
    this.#emit("conversation", this.list.get(row.id) ?? row);
    return row;
  }

  /** What is stored can still be read, until the user is back. */
  #leave(conversation: string): void {
    this.#left.add(conversation);
    const [first] = this.#left;
    if (this.#left.size <= LEFT_MAX || first === undefined) return;
    this.#left.delete(first);
    this.#store({ remove: "history", conversation: first });
  }

  #synced(): void {
    let left = CATCH_UPS_MAX;
    for (const row of this.#rows.values()) {
      // Beyond the newest message to be shown there may be those for the application.
      const behind = (this.#streams.position(row.id) ?? row.headSeq) < row.headSeq;
      const changed = (this.#revs.version(row.id) ?? row.rev) < row.rev;
      const deleted = (this.#deletions.version(row.id) ?? row.deletedVersion) < row.deletedVersion;
      if (!behind && !changed && !deleted) continue;
      left -= 1;
      if (left >= 0) {
        this.#streams.catchUp(row.id, row.headSeq);
        this.#follow(row);
      } else {
        this.#streams.skipTo(row.id, row.headSeq);
        this.#revs.skipTo(row.id, row.rev);
        this.#deletions.skipTo(row.id, row.deletedVersion);
      }
    }
    this.#rows.clear();
    for (const { message, prev } of this.#early.splice(0)) this.#streams.offer(message, prev);
    this.#emit("synced", undefined);
  }

  #sync(sync: Sync): void {
    if (sync.cursor === "") this.#rows.clear();
    this.#repairs.ask(
      { case: "sync", value: sync },
      "sync",
      (result) => this.#feed.answered(result),
      () => this.#feed.abandoned(),
    );
  }

  #pull(conversation: string, from: number): void {
    const value = create(PullMessagesSchema, {
      conversation,
      fromSeq: BigInt(from),
      limit: PULL_LIMIT,
    });
    this.#repairs.ask(
      { case: "pullMessages", value },
      "messages",
      (page) => {
        this.#streams.page(page, true);
        this.#revs.told(conversation, safeNumber(page.rev));
      },
      (gone) => this.#streams.pullFailed(conversation, gone),
    );
  }

  #pullChanges(conversation: string, from: number): void {
    const fields = { conversation, fromRev: BigInt(from), limit: PULL_LIMIT };
    this.#repairs.ask(
      { case: "pullChanges", value: create(PullChangesSchema, fields) },
      "changes",
      (page) => {
        // The server does not keep changes since then any more.
        if (page.reset) this.#outdated(conversation);
        for (const message of page.messages.map(messageFrom)) {
          if ((message.state?.rev ?? 0) > from) this.#changed(message);
        }
        this.#revs.answered(conversation, safeNumber(page.rev), page.more);
      },
      (gone) => this.#revs.failed(conversation, gone),
    );
  }

  #pullDeleted(conversation: string, from: number): void {
    const fields = { conversation, fromVersion: BigInt(from), limit: PULL_LIMIT };
    this.#repairs.ask(
      { case: "pullDeleted", value: create(PullDeletedSchema, fields) },
      "deleted",
      (page) => {
        if (page.seqs.length > 0) this.#deleted(conversation, page.seqs.map(safeNumber));
        this.#deletions.answered(conversation, safeNumber(page.deletedVersion), page.more);
      },
      (gone) => this.#deletions.failed(conversation, gone),
    );
  }

  /** Too much changed while nobody looked: what is kept of it is not to be trusted any more. */
  #outdated(conversation: string): void {
    this.#store({ remove: "history", conversation });
    this.#emit("outdated", { conversation });
  }

  #deliver(pushed: Message, from: number): void {
    const message = this.#ahead.latest(pushed);
    const { conversation, seq } = message;
    const row = this.list.get(conversation);
    // A new device is told of the first screens of the list only, and this is beyond them.
    if (!row) this.#feed.start();
    // Cleared while it was on its way.
    else if (seq < row.firstSeq) return;
    this.list.message(message, this.#userId);
    this.#keep(message);
    this.#store({ put: "range", conversation, from, to: seq });
    this.#emit("message", message);
  }

  #changed(message: Message): void {
    const position = this.#streams.position(message.conversation);
    // Its first state may still come, held back by a gap.
    if (position !== undefined && message.seq > position) this.#ahead.keep(message);
    if (this.list.changed(message, this.#userId)) this.#countMentions(message.conversation);
    this.#store({ put: "changed", message });
    this.#emit("changed", message);
  }

  #deleted(conversation: string, seqs: readonly number[]): void {
    this.#store({ remove: "messages", conversation, seqs });
    this.#emit("deleted", { conversation, seqs });
  }

  /** Which of the unread messages mention the user can't be told from here. */
  #countMentions(conversation: string): void {
    if (this.#mentions.has(conversation)) return;
    this.#mentions.add(conversation);
    this.#repairs.ask(
      { case: "listMentions", value: create(ListMentionsSchema, { conversation }) },
      "messageList",
      ({ messages }) => {
        this.#mentions.delete(conversation);
        if (messages.length < MENTIONS_MAX) this.list.mentioned(conversation, messages.length);
      },
      () => this.#mentions.delete(conversation),
    );
  }

  #position(conversation: string): SavedPosition {
    return {
      conversation,
      position: this.#streams.position(conversation) ?? 0,
      rev: this.#revs.version(conversation) ?? 0,
      deletedVersion: this.#deletions.version(conversation) ?? 0,
    };
  }

  /** Rows, positions and feed as they are now, if they changed. */
  #saveState(): void {
    for (const row of this.list.takeUnsaved()) this.#store({ put: "conversation", row });
    const moved = [this.#streams, this.#revs, this.#deletions].flatMap((one) => one.takeUnsaved());
    for (const conversation of new Set(moved)) {
      if (this.#streams.position(conversation) === undefined) continue;
      this.#store({ put: "position", position: this.#position(conversation) });
    }
    const { saved } = this.#feed;
    const state = JSON.stringify(saved);
    if (!saved || state === this.#savedFeed) return;
    this.#savedFeed = state;
    this.#store({ put: "feed", feed: { userId: this.#userId, ...saved } });
  }

  /** What is for the application alone is told, and not kept. */
  #keep(message: Message): void {
    if (!isCommand(message)) this.#store({ put: "message", message });
  }

  #store(change: Change): void {
    this.#changes.push(change);
  }

  #emit<K extends keyof Events>(name: K, event: Events[K]): void {
    this.#effects.push({ do: "event", name, event } as CoreEffect);
  }
}
