/**
 * The chat rooms that the client is in, without sockets and clocks: see `core.ts`.
 *
 * A room is entered when the application asks for it, and entered again by itself on every new
 * connection, and whenever something may have been lost, from where it was known: the server gives
 * what was missed, if the room still remembers it. What the server pushes before it has answered
 * waits for the answer, behind which it belongs. A client that is disconnected and connected again
 * comes back into its rooms, unless somebody else signs in.
 *
 * Nothing of a room is stored, and a hole is not filled: it was dropped under load, or is long ago.
 * `missed` says so. Attributes are different, they are a state: when a change of them may have been
 * missed they are read anew.
 */
import { create } from "@bufbuild/protobuf";

import { AnserError, brokenProtocol, invalid, notReachable, overloaded } from "./errors.js";
import {
  type RoomAttributeList,
  type RoomJoined as WireJoined,
  type RoomLeftPush,
  type RoomPush,
  GetRoomAttributesSchema,
  JoinRoomSchema,
  LeaveRoomSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";
import { ANSWER_TIMEOUT_MS, type Job } from "./outbox.js";
import type { RoomAttribute, RoomEvent, RoomJoined, RoomNews } from "./room-types.js";
import { attributeFrom, leftFrom, newsFrom, roomFrom, roomMessageFrom } from "./room-wire.js";
import type { Result } from "./wire.js";

/** Rooms that a client is in at a time. */
export const ROOMS_MAX = 100;
/** Pushes of a room that wait for the answer that lets the client in; the oldest give way. */
export const PUSHES_HELD_MAX = 64;
/** The newest messages that joining gives at most. */
const NEWEST_MAX = 50;
/** How long joining may take, reconnecting included, in milliseconds. */
const JOIN_TIMEOUT_MS = 2 * ANSWER_TIMEOUT_MS;
/** What was refused for now in spite of retries is asked again after so long, in milliseconds. */
const AGAIN_MS = 1_000;

/** Who waits for an answer. */
export interface Waiter<T> {
  done(value: T): void;
  failed(error: AnserError): void;
}

/** What rooms need of the core. */
export interface RoomsOut {
  /** By the clock of the inputs. */
  now(): number;
  /** Why nothing can be asked: there is no connection, and none is being made. */
  closed(): AnserError | undefined;
  add(job: Job): void;
  tell(event: RoomEvent): void;
}

type Value<C extends Result["case"]> = Extract<Result, { case: C }>["value"] & object;

interface Joined {
  /** Waits to be in, and until when. */
  waiter: (Waiter<RoomJoined> & { readonly until: number }) | undefined;
  newest: number;
  /** The client was in before. */
  wasIn: boolean;
  /** It has to ask to be let in, from then on. */
  askFrom: number | undefined;
  /** The question that is on its way: another one makes its answer void. */
  asking: object | undefined;
  epoch: bigint;
  seq: bigint;
  attributesVersion: bigint;
  /** They have to be read, from then on. */
  attributesFrom: number | undefined;
  reading: object | undefined;
  /** What came before the answer. */
  held: RoomPush[];
}

export class Rooms {
  readonly #out: RoomsOut;
  /** By name; the one joined last comes last, also when all are entered again. */
  readonly #rooms = new Map<string, Joined>();
  /** Rooms being left: one is entered again only behind that. */
  readonly #leaving = new Map<string, number>();

  constructor(out: RoomsOut) {
    this.#out = out;
  }

  join(name: string, newest: number, waiter: Waiter<RoomJoined>): void {
    const now = this.#out.now();
    const error = this.#out.closed() ?? this.#refusal(name, newest);
    if (error) {
      waiter.failed(error);
      return;
    }
    const room = this.#rooms.get(name) ?? emptyRoom();
    room.waiter = { ...waiter, until: now + JOIN_TIMEOUT_MS };
    room.newest = newest;
    // The application wants the newest messages, as if it had not been in.
    room.epoch = room.seq = room.attributesVersion = 0n;
    // An answer that is on its way is not to this question.
    room.asking = undefined;
    room.askFrom = now;
    this.#rooms.delete(name);
    this.#rooms.set(name, room);
  }

  /** The application leaves: nothing of the room is told from here on. */
  leave(name: string, waiter: Waiter<void>): void {
    const room = this.#rooms.get(name);
    this.#rooms.delete(name);
    room?.waiter?.failed(new AnserError(3070, "NOT_IN_ROOM", "the room was left"));
    const closed = this.#out.closed();
    if (closed) {
      waiter.failed(closed);
      return;
    }
    this.#leaving.set(name, (this.#leaving.get(name) ?? 0) + 1);
    const over = (): void => {
      const left = (this.#leaving.get(name) ?? 1) - 1;
      if (left > 0) this.#leaving.set(name, left);
      else this.#leaving.delete(name);
    };
    this.#out.add({
      kind: "question",
      command: () => ({ case: "leaveRoom", value: create(LeaveRoomSchema, { room: name }) }),
      done: (result) => {
        over();
        if (result.case !== "done") throw brokenProtocol(`leaveRoom: ${result.case}`);
        waiter.done();
      },
      failed: (error) => {
        over();
        waiter.failed(error);
      },
    });
  }

  /** Every room is to be entered again: there is a new connection, or something may be lost. */
  enterAgain(): void {
    for (const room of this.#rooms.values()) room.askFrom = this.#out.now();
  }

  /** The client stops. It comes back into the rooms that it was in when it is started again. */
  stop(error: AnserError): void {
    for (const [name, room] of [...this.#rooms]) {
      room.held.length = 0;
      if (!room.wasIn) this.#rooms.delete(name);
      const { waiter } = room;
      room.waiter = undefined;
      waiter?.failed(error);
    }
  }

  /** Somebody else signs in, or nobody any more: nobody is in any room. */
  clear(error: AnserError): void {
    const rooms = [...this.#rooms.values()];
    this.#rooms.clear();
    for (const { waiter } of rooms) waiter?.failed(error);
  }

  /** When `tick` wants to be called. */
  deadline(connected: boolean): number | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { waiter, askFrom, attributesFrom } of this.#rooms.values()) {
      earliest = Math.min(earliest, waiter?.until ?? earliest);
      if (connected) earliest = Math.min(earliest, askFrom ?? earliest, attributesFrom ?? earliest);
    }
    return earliest === Number.POSITIVE_INFINITY ? undefined : earliest;
  }

  /** Ends what has waited too long. */
  tick(): void {
    const now = this.#out.now();
    for (const [name, room] of [...this.#rooms]) {
      if (!room.waiter || now < room.waiter.until) continue;
      if (!room.wasIn) this.#rooms.delete(name);
      const { waiter } = room;
      room.waiter = undefined;
      waiter.failed(notReachable("no answer in time"));
    }
  }

  /** Asks for what is due; only while connected. */
  pump(): void {
    const now = this.#out.now();
    // What is added last goes out first; the room that was joined last is to be entered last.
    for (const [name, room] of [...this.#rooms].reverse()) {
      if (!room.asking && isDue(room.askFrom, now) && !this.#leaving.has(name)) {
        this.#ask(name, room);
      }
      const isIn = room.wasIn && !room.asking && room.askFrom === undefined;
      if (isIn && !room.reading && isDue(room.attributesFrom, now)) {
        room.attributesFrom = undefined;
        this.#read(name, room, [], "");
      }
    }
  }

  /** Something happened in a room. */
  pushed(push: RoomPush): void {
    const room = this.#rooms.get(push.room);
    if (!room) return;
    if (room.asking || room.askFrom !== undefined) {
      if (room.held.length >= PUSHES_HELD_MAX) room.held.shift();
      room.held.push(push);
      return;
    }
    const version = room.attributesVersion;
    const news: RoomNews[] = [];
    let unsure = false;
    const miss = (count: bigint): void => {
      unsure = true;
      news.push({ kind: "missed", count: safeNumber(count) });
    };
    if (room.epoch !== push.epoch) {
      room.epoch = push.epoch;
      room.seq = push.prev;
      miss(0n);
    }
    let next = push.prev > room.seq ? push.prev : room.seq;
    let missed = next - room.seq;
    for (const item of push.items) {
      if (item.seq <= room.seq) continue;
      if (item.seq > next + 1n) missed += item.seq - next - 1n;
      next = room.seq = item.seq;
      if (missed > 0n) miss(missed);
      missed = 0n;
      if (item.item.case === "attributes") {
        const changed = item.item.value.version;
        if (changed > room.attributesVersion) room.attributesVersion = changed;
      }
      const one = newsFrom(item);
      if (one) news.push(one);
    }
    if (missed > 0n) {
      room.seq = next;
      miss(missed);
    }
    if (push.memberCount !== undefined) {
      news.push({ kind: "member-count", memberCount: push.memberCount });
    }
    if (unsure && push.attributesVersion !== version) room.attributesFrom = this.#out.now();
    for (const one of news) this.#tell(push.room, one);
  }

  /** The server says that the client is not in a room any more. */
  left(push: RoomLeftPush): void {
    const room = this.#rooms.get(push.room);
    // While it is being entered, that is about a time before; the answer says how it is.
    if (!room || room.asking || room.waiter) return;
    this.#rooms.delete(push.room);
    this.#tell(push.room, { kind: "left", left: leftFrom(push) });
  }

  #refusal(name: string, newest: number): AnserError | undefined {
    const known = this.#rooms.get(name);
    if (!Number.isInteger(newest) || newest < 0 || newest > NEWEST_MAX) {
      return invalid(`newest is at most ${NEWEST_MAX}`);
    }
    if (known?.waiter) return invalid("the room is being joined already");
    if (!known && this.#rooms.size >= ROOMS_MAX) return overloaded("in too many rooms");
    return undefined;
  }

  #ask(name: string, room: Joined): void {
    const question = {};
    room.asking = question;
    room.askFrom = undefined;
    const value = create(JoinRoomSchema, {
      room: name,
      newest: room.newest,
      knownEpoch: room.epoch,
      knownSeq: room.seq,
    });
    const isCurrent = (): boolean => this.#rooms.get(name) === room && room.asking === question;
    this.#out.add({
      kind: "connection",
      command: () => ({ case: "joinRoom", value }),
      done: (result) => {
        const joined = answer(result, "roomJoined");
        if (!isCurrent()) return;
        room.asking = undefined;
        this.#entered(name, room, joined);
      },
      failed: (error) => {
        if (!isCurrent()) return;
        room.asking = undefined;
        if (isFinal(error)) this.#refused(name, room, error);
        else room.askFrom = this.#out.now() + AGAIN_MS;
      },
    });
  }

  #refused(name: string, room: Joined, error: AnserError): void {
    this.#rooms.delete(name);
    if (room.wasIn) this.#tell(name, { kind: "left", left: { reason: "refused", error } });
    room.waiter?.failed(error);
  }

  #entered(name: string, room: Joined, joined: WireJoined): void {
    const info = roomFrom(joined.room);
    const version = BigInt(info.attributesVersion);
    const unsure = version !== room.attributesVersion || (!room.wasIn && version !== 0n);
    // What was to be read already still is.
    if (unsure) room.attributesFrom = this.#out.now();
    room.wasIn = true;
    const held = room.held.splice(0);
    const { epoch, seq } = room;
    room.epoch = joined.epoch;
    room.seq = joined.seq;
    const { waiter } = room;
    room.waiter = undefined;
    if (waiter) {
      const messages = joined.items.flatMap(({ item }) =>
        item.case === "message" ? [roomMessageFrom(item.value)] : [],
      );
      waiter.done({ room: info, messages });
    } else {
      if (joined.lost) {
        const first = joined.items[0]?.seq ?? joined.seq + 1n;
        const count = epoch === joined.epoch && first > seq ? first - seq - 1n : 0n;
        this.#tell(name, { kind: "missed", count: safeNumber(count) });
      }
      for (const news of joined.items.map(newsFrom)) if (news) this.#tell(name, news);
      this.#tell(name, { kind: "member-count", memberCount: info.memberCount });
    }
    for (const push of held) this.pushed(push);
  }

  #read(name: string, room: Joined, read: readonly RoomAttribute[], after: string): void {
    const question = {};
    room.reading = question;
    const isCurrent = (): boolean => this.#rooms.get(name) === room && room.reading === question;
    this.#out.add({
      kind: "connection",
      command: () => ({
        case: "getRoomAttributes",
        value: create(GetRoomAttributesSchema, { room: name, after }),
      }),
      done: (result) => {
        const list = answer(result, "roomAttributes");
        if (!isCurrent()) return;
        room.reading = undefined;
        this.#attributesRead(name, room, read, list);
      },
      failed: (error) => {
        if (!isCurrent()) return;
        room.reading = undefined;
        if (isFinal(error)) this.#refused(name, room, error);
        else room.attributesFrom = this.#out.now() + AGAIN_MS;
      },
    });
  }

  #attributesRead(
    name: string,
    room: Joined,
    before: readonly RoomAttribute[],
    list: RoomAttributeList,
  ): void {
    const attributes = [...before, ...list.attributes.map(attributeFrom)];
    if (list.after !== "") {
      this.#read(name, room, attributes, list.after);
    } else if (list.version < room.attributesVersion) {
      // A change was told meanwhile that is not in it.
      room.attributesFrom = this.#out.now();
    } else {
      room.attributesVersion = list.version;
      this.#tell(name, { kind: "all-attributes", attributes });
    }
  }

  #tell(room: string, news: RoomNews): void {
    this.#out.tell({ room, news });
  }
}

function emptyRoom(): Joined {
  return {
    waiter: undefined,
    newest: 0,
    wasIn: false,
    askFrom: undefined,
    asking: undefined,
    epoch: 0n,
    seq: 0n,
    attributesVersion: 0n,
    attributesFrom: undefined,
    reading: undefined,
    held: [],
  };
}

function isDue(from: number | undefined, now: number): boolean {
  return from !== undefined && from <= now;
}

/** The server's word, not that of a connection that was lost or of a queue on this side. */
function isFinal(error: AnserError): boolean {
  return error.action === "give-up" && error.code >= 1000;
}

function answer<C extends Result["case"]>(result: Result, expected: C): Value<C> {
  if (result.case !== expected) throw brokenProtocol(`a room: ${result.case}`);
  return result.value as Value<C>;
}
