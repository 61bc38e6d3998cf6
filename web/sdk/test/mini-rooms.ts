/** Chat rooms of the server in memory: enough to be in one, with nothing of quota and history. */
import { create } from "@bufbuild/protobuf";

import {
  type ModerateRoom,
  type Request,
  type Response,
  type Room,
  type RoomItem,
  DoneSchema,
  RoomAttributeListSchema,
  RoomItemSchema,
  RoomJoinedSchema,
  RoomLeftPush_Reason as Reason,
  RoomLeftPushSchema,
  RoomMemberPageSchema,
  RoomMessageSchema,
  RoomMessageSentSchema,
  RoomNotice_Kind as Kind,
  RoomPushSchema,
  RoomSchema,
  type SetRoomAttributes,
} from "../src/gen/anser/client/v1/client_pb.js";
import type { MiniServer, Session } from "./mini-server.js";

type Result = Response["result"];
type Item = RoomItem["item"];

const MUTED = 3021;
const NOT_ALLOWED = 3012;
const NOT_IN_ROOM = 3070;
const ROOM_NOT_FOUND = 3071;
const TAKEN = 3072;

interface MiniRoom {
  readonly id: string;
  readonly moderators: readonly string[];
  readonly members: Map<Session, bigint>;
  readonly items: RoomItem[];
  readonly attributes: Map<string, { value: string; owner: string; leaves: boolean }>;
  readonly muted: Map<string, bigint>;
  allMuted: boolean;
  version: bigint;
}

export class MiniRooms {
  readonly #rooms = new Map<string, MiniRoom>();

  constructor(private readonly server: MiniServer) {}

  /** False: it is there already. */
  open(id: string, moderator: string): boolean {
    if (this.#rooms.has(id)) return false;
    this.#rooms.set(id, {
      id,
      moderators: [moderator],
      members: new Map(),
      items: [],
      attributes: new Map(),
      muted: new Map(),
      allMuted: false,
      version: 0n,
    });
    return true;
  }

  /** A connection is gone. */
  gone(session: Session): void {
    for (const room of this.#rooms.values()) this.#leave(room, session);
  }

  /** A code, an answer, or `undefined`: it is not about rooms. */
  handle(session: Session, me: string, command: Request["command"]): number | Result | undefined {
    if (!/Room/.test(command.case ?? "")) return undefined;
    const value = command.value as { room: string };
    const room = this.#rooms.get(value.room);
    if (!room) return ROOM_NOT_FOUND;
    if (command.case === "joinRoom") return this.#join(room, session, me, command.value.newest);
    if (command.case === "getRoom") return { case: "room", value: this.#view(room, me) };
    if (command.case === "leaveRoom") {
      this.#leave(room, session);
      return done();
    }
    return room.members.has(session) ? this.#inside(room, me, command) : NOT_IN_ROOM;
  }

  #inside(room: MiniRoom, me: string, command: Request["command"]): number | Result | undefined {
    switch (command.case) {
      case "sendRoomMessage": {
        const moderates = room.moderators.includes(me);
        if (!moderates && (room.allMuted || room.muted.has(me))) return MUTED;
        const { clientMessageId, content, priority } = command.value;
        const messageId = `r${room.items.length + 1}`.padEnd(26, "0");
        const time = BigInt(this.server.clock());
        const fields = { messageId, sender: me, clientMessageId, time, priority };
        const message = create(RoomMessageSchema, { ...fields, ...(content && { content }) });
        const seq = this.#happens(room, { case: "message", value: message });
        const sent = create(RoomMessageSentSchema, { epoch: 1n, seq, messageId, time });
        return { case: "roomMessageSent", value: sent };
      }
      case "recallRoomMessage":
        return this.#recall(room, me, command.value.messageId);
      case "listRoomMembers": {
        const members = [...room.members].map(([{ user = "" }, joinedTime]) => ({
          user,
          joinedTime,
        }));
        if (command.value.newestFirst) members.reverse();
        const page = create(RoomMemberPageSchema, { members, memberCount: members.length });
        return { case: "roomMembers", value: page };
      }
      case "getRoomAttributes": {
        const attributes = [...room.attributes].map(([key, one]) => ({ key, ...one }));
        const list = create(RoomAttributeListSchema, { attributes, version: room.version });
        return { case: "roomAttributes", value: list };
      }
      case "setRoomAttributes":
        return this.#setAttributes(room, me, command.value);
      case "moderateRoom":
        return room.moderators.includes(me) ? this.#moderate(room, me, command.value) : NOT_ALLOWED;
      default:
        return undefined;
    }
  }

  #join(room: MiniRoom, session: Session, me: string, newest: number): Result {
    room.members.set(session, BigInt(this.server.clock()));
    const said = room.items.filter(({ item }) => item.case === "message");
    const joined = create(RoomJoinedSchema, {
      room: this.#view(room, me),
      epoch: 1n,
      seq: BigInt(room.items.length),
      items: newest > 0 ? said.slice(-newest) : [],
    });
    this.#tell(room, []);
    return { case: "roomJoined", value: joined };
  }

  #leave(room: MiniRoom, session: Session): void {
    if (!room.members.delete(session)) return;
    const gone = [...room.attributes].filter(([, one]) => one.leaves && one.owner === session.user);
    for (const [key] of gone) room.attributes.delete(key);
    if (gone.length === 0) {
      this.#tell(room, []);
      return;
    }
    const deleted = gone.map(([key]) => key);
    this.#changed(room, session.user ?? "", [], deleted);
  }

  #recall(room: MiniRoom, me: string, messageId: string): number | Result {
    const found = room.items.find(
      ({ item }) => item.case === "message" && item.value.messageId === messageId,
    )?.item;
    if (found?.case !== "message") return done();
    if (found.value.sender !== me && !room.moderators.includes(me)) return NOT_ALLOWED;
    found.value = create(RoomMessageSchema, {
      messageId,
      sender: found.value.sender,
      recalled: true,
    });
    const recall = { $typeName: "anser.client.v1.RoomRecall", messageId, operator: me } as const;
    this.#happens(room, { case: "recall", value: recall });
    return done();
  }

  #setAttributes(
    room: MiniRoom,
    me: string,
    { changes, force }: SetRoomAttributes,
  ): number | Result {
    const taken = changes.some(({ key }) => (room.attributes.get(key)?.owner ?? me) !== me);
    if (taken && !force) return TAKEN;
    const set = changes.flatMap(({ key, value, leaves }) => {
      if (value === undefined) room.attributes.delete(key);
      else room.attributes.set(key, { value, owner: me, leaves });
      return value === undefined ? [] : [{ key, value, owner: me, leaves }];
    });
    const deleted = changes.filter(({ value }) => value === undefined).map(({ key }) => key);
    this.#changed(room, me, set, deleted);
    const list = create(RoomAttributeListSchema, { attributes: set, version: room.version });
    return { case: "roomAttributes", value: list };
  }

  #changed(
    room: MiniRoom,
    operator: string,
    set: { key: string; value: string; owner: string; leaves: boolean }[],
    deleted: string[],
  ): void {
    room.version += 1n;
    const changed = create(RoomItemSchema, {
      item: { case: "attributes", value: { version: room.version, operator, set, deleted } },
    });
    this.#happens(room, changed.item);
  }

  #moderate(room: MiniRoom, me: string, { action, notify, extra }: ModerateRoom): Result {
    const note = (kind: Kind, users: string[] = [], until = 0n): void => {
      if (!notify) return;
      const value = { kind, operator: me, users, until, extra };
      this.#happens(room, create(RoomItemSchema, { item: { case: "notice", value } }).item);
    };
    if (action.case === "muteAll") {
      room.allMuted = action.value;
      note(action.value ? Kind.ALL_MUTED : Kind.ALL_UNMUTED);
    } else if (action.case === "mute") {
      const { users, seconds } = action.value;
      const until = BigInt(this.server.clock()) + seconds * 1000n;
      for (const user of users) room.muted.set(user, until);
      note(Kind.MUTED, users, until);
    } else if (action.case === "unmute") {
      for (const user of action.value.users) room.muted.delete(user);
      note(Kind.UNMUTED, action.value.users);
    } else if (action.case === "remove") {
      const { users } = action.value;
      for (const session of [...room.members.keys()]) {
        if (!users.includes(session.user ?? "")) continue;
        const value = create(RoomLeftPushSchema, { room: room.id, reason: Reason.REMOVED, extra });
        session.send([{ case: "roomLeft", value }]);
        this.#leave(room, session);
      }
      note(Kind.REMOVED, users);
    }
    return done();
  }

  #view(room: MiniRoom, me: string): Room {
    return create(RoomSchema, {
      id: room.id,
      name: room.id,
      memberCount: room.members.size,
      muted: room.allMuted,
      attributesVersion: room.version,
      moderators: [...room.moderators],
      mutedUntil: room.muted.get(me) ?? 0n,
    });
  }

  #happens(room: MiniRoom, item: Item): bigint {
    const seq = BigInt(room.items.length + 1);
    const one = create(RoomItemSchema, { seq });
    one.item = item;
    room.items.push(one);
    this.#tell(room, [one]);
    return seq;
  }

  #tell(room: MiniRoom, items: RoomItem[]): void {
    const push = create(RoomPushSchema, {
      room: room.id,
      epoch: 1n,
      prev: BigInt(room.items.length - items.length),
      items,
      memberCount: room.members.size,
      attributesVersion: room.version,
    });
    for (const session of room.members.keys()) session.send([{ case: "room", value: push }]);
  }
}

function done(): Result {
  return { case: "done", value: create(DoneSchema) };
}
