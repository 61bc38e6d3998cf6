/**
 * The commands about chat rooms. What happens in a room comes as `room` events; how the client stays
 * in it is told in `rooms.ts`. What has not the same effect the second time (`action`) fails when
 * its answer was lost.
 */
import { create } from "@bufbuild/protobuf";

import type { PageOptions } from "./commands.js";
import {
  GetRoomSchema,
  ListRoomMembersSchema,
  ModerateRoomSchema,
  PullRoomMessagesSchema,
  RecallRoomMessageSchema,
  SendRoomMessageSchema,
  SetRoomAttributesSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";
import { PeopleCommands } from "./people-commands.js";
import type {
  Room,
  RoomAttributeChange,
  RoomJoined,
  RoomMemberPage,
  RoomMessagePage,
  RoomModeration,
  RoomSendOptions,
  RoomSent,
} from "./room-types.js";
import {
  attributeChangeTo,
  moderationTo,
  priorityTo,
  roomFrom,
  roomMembersFrom,
  roomMessagesFrom,
} from "./room-wire.js";
import type { Rooms } from "./rooms.js";
import type { Sendable } from "./types.js";
import { contentTo } from "./wire.js";

export abstract class RoomCommands extends PeopleCommands {
  /** @internal */
  protected abstract inRooms(input: (rooms: Rooms) => void): void;

  /** An id for a message; see `client.ts`. */
  abstract newMessageId(): string;

  /**
   * Goes into a chat room; at most 50 of the newest messages are given, none unless told. From here
   * on `room` events tell what happens in it — what they tell before this resolves comes behind the
   * messages given — and the client comes back into it by itself after a lost connection, until it
   * leaves or is put out. Unless the app allows more rooms at a time, it leaves the one it was in.
   */
  joinRoom(room: string, options: { newest?: number } = {}): Promise<RoomJoined> {
    return new Promise((resolve, reject) => {
      const waiter = { done: resolve, failed: reject };
      this.inRooms((rooms) => rooms.join(room, options.newest ?? 0, waiter));
    });
  }

  /** Leaves a chat room. Nothing of it is told any more, whatever comes of it. */
  leaveRoom(room: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.inRooms((rooms) => rooms.leave(room, { done: resolve, failed: reject }));
    });
  }

  /**
   * Says something in a chat room that the client is in; it comes back as a `room` event. More than
   * a room takes at a time is dropped, those of low priority first: with `tellDropped` the answer
   * says so.
   */
  async sendToRoom(
    room: string,
    sendable: Sendable,
    options: RoomSendOptions = {},
  ): Promise<RoomSent> {
    const { priority = "high", tellDropped = false } = options;
    const clientMessageId = options.clientMessageId ?? this.newMessageId();
    const value = create(SendRoomMessageSchema, {
      room,
      clientMessageId,
      content: contentTo(sendable),
      priority: priorityTo(priority),
      tellDropped,
    });
    const command = { case: "sendRoomMessage", value } as const;
    return this.ask("question", command, "roomMessageSent", (sent) => ({
      seq: safeNumber(sent.seq),
      id: sent.messageId,
      clientMessageId,
      time: safeNumber(sent.time),
      dropped: sent.dropped,
    }));
  }

  /** Takes a message back: one's own, or as a moderator anybody's. */
  async recallRoomMessage(room: string, messageId: string): Promise<void> {
    const value = create(RecallRoomMessageSchema, { room, messageId });
    await this.ask("question", { case: "recallRoomMessage", value }, "done");
  }

  /** Reads what a chat room is. */
  async room(room: string): Promise<Room> {
    const value = create(GetRoomSchema, { room });
    return this.ask("question", { case: "getRoom", value }, "room", roomFrom);
  }

  /** Who is in it, in the order of joining or the last first. `limit`: 1–500, 100 unless told. */
  async roomMembers(
    room: string,
    options: PageOptions & { newestFirst?: boolean } = {},
  ): Promise<RoomMemberPage> {
    const value = create(ListRoomMembersSchema, { room, ...options });
    const command = { case: "listRoomMembers", value } as const;
    return this.ask("question", command, "roomMembers", roomMembersFrom);
  }

  /**
   * Sets and deletes attributes of a chat room that the client is in, all or none; at most 10. What
   * belongs to others only with `force`. After joining, `room` tells those there are.
   */
  async setRoomAttributes(
    room: string,
    changes: readonly RoomAttributeChange[],
    options: { force?: boolean } = {},
  ): Promise<void> {
    const value = create(SetRoomAttributesSchema, {
      room,
      changes: changes.map(attributeChangeTo),
      force: options.force ?? false,
    });
    // The answer has them as they are now; `room` tells all members, this one included.
    await this.ask("action", { case: "setRoomAttributes", value }, "roomAttributes", () => {});
  }

  /** Does a moderator's work. `notice`: all members are told, with these words, at most 1,024 bytes. */
  async moderateRoom(room: string, what: RoomModeration, notice?: string): Promise<void> {
    const value = create(ModerateRoomSchema, {
      room,
      action: moderationTo(what),
      notify: notice !== undefined,
      extra: notice ?? "",
    });
    await this.ask("action", { case: "moderateRoom", value }, "done");
  }

  /**
   * Messages of a chat room that keeps them: those before the message `from`, the newest first; or,
   * `forward`, those behind it. Without `from` it begins at that end. `limit`: 1–100, 20 unless told.
   */
  async roomMessages(
    room: string,
    options: { from?: string; forward?: boolean; limit?: number } = {},
  ): Promise<RoomMessagePage> {
    const { from = "", ...rest } = options;
    const value = create(PullRoomMessagesSchema, { room, fromMessageId: from, ...rest });
    return this.ask(
      "question",
      { case: "pullRoomMessages", value },
      "roomMessages",
      roomMessagesFrom,
    );
  }
}
