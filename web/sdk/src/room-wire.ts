/** Between chat rooms on the wire and as an application sees them. */
import { type MessageInitShape, create } from "@bufbuild/protobuf";

import { brokenProtocol } from "./errors.js";
import {
  type Room as WireRoom,
  type RoomAttribute as WireAttribute,
  RoomAttributeChangeSchema,
  type RoomItem as WireItem,
  type RoomLeftPush,
  type RoomMemberPage as WireMemberPage,
  type RoomMessage as WireMessage,
  type RoomMessagePage as WireMessagePage,
  RoomLeftPush_Reason as Reason,
  type ModerateRoomSchema,
  type RoomNotice as WireNotice,
  RoomNotice_Kind as Kind,
  RoomPriority as WirePriority,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";
import type {
  Room,
  RoomAttribute,
  RoomAttributeChange,
  RoomLeft,
  RoomMemberPage,
  RoomMessage,
  RoomMessagePage,
  RoomModeration,
  RoomNews,
  RoomNotice,
  RoomNoticeKind,
  RoomPriority,
} from "./room-types.js";
import { textOf } from "./wire.js";

export function roomFrom(wire: WireRoom | undefined): Room {
  if (!wire) throw brokenProtocol("a room is missing");
  return {
    id: wire.id,
    name: wire.name,
    createdTime: safeNumber(wire.createdTime),
    memberCount: wire.memberCount,
    muted: wire.muted,
    attributesVersion: safeNumber(wire.attributesVersion),
    moderators: wire.moderators,
    history: wire.history,
    mutedUntil: safeNumber(wire.mutedUntil),
  };
}

export function priorityTo(priority: RoomPriority): WirePriority {
  return priority === "low" ? WirePriority.LOW : WirePriority.HIGH;
}

export function roomMessageFrom(wire: WireMessage): RoomMessage {
  const content = { type: wire.content?.type ?? "", body: wire.content?.body ?? new Uint8Array() };
  return {
    id: wire.messageId,
    sender: wire.sender,
    clientMessageId: wire.clientMessageId,
    time: safeNumber(wire.time),
    content,
    text: textOf(content),
    priority: wire.priority === WirePriority.LOW ? "low" : "high",
    recalled: wire.recalled,
  };
}

export function roomMembersFrom({ members, cursor, memberCount }: WireMemberPage): RoomMemberPage {
  return {
    members: members.map(({ user, joinedTime }) => ({ user, joinedTime: safeNumber(joinedTime) })),
    cursor,
    memberCount,
  };
}

export function roomMessagesFrom({ messages, more }: WireMessagePage): RoomMessagePage {
  return { messages: messages.map(roomMessageFrom), more };
}

export function attributeFrom({ key, value, owner, leaves }: WireAttribute): RoomAttribute {
  return { key, value, owner, leaves };
}

export function attributeChangeTo({ key, value, leaves = false }: RoomAttributeChange) {
  return create(RoomAttributeChangeSchema, {
    key,
    leaves,
    ...(value !== undefined && { value }),
  });
}

type Action = NonNullable<MessageInitShape<typeof ModerateRoomSchema>["action"]>;

export function moderationTo(what: RoomModeration): Action {
  if ("remove" in what) {
    const value = { users: [...what.remove], seconds: BigInt(what.seconds ?? 0) };
    return { case: "remove", value };
  }
  if ("mute" in what) {
    return { case: "mute", value: { users: [...what.mute], seconds: BigInt(what.seconds) } };
  }
  if ("unmute" in what) return { case: "unmute", value: { users: [...what.unmute] } };
  if ("liftBan" in what) return { case: "liftBan", value: { users: [...what.liftBan] } };
  return { case: "muteAll", value: what.muteAll };
}

const KINDS: Record<Kind, RoomNoticeKind> = {
  [Kind.UNSPECIFIED]: "unknown",
  [Kind.MUTED]: "muted",
  [Kind.UNMUTED]: "unmuted",
  [Kind.BANNED]: "banned",
  [Kind.BAN_LIFTED]: "ban-lifted",
  [Kind.ALL_MUTED]: "all-muted",
  [Kind.ALL_UNMUTED]: "all-unmuted",
  [Kind.REMOVED]: "removed",
  [Kind.CHANGED]: "changed",
};

function noticeFrom(wire: WireNotice): RoomNotice {
  return {
    kind: KINDS[wire.kind] ?? "unknown",
    operator: wire.operator,
    users: wire.users,
    until: safeNumber(wire.until),
    extra: wire.extra,
  };
}

/** `undefined`: something of a newer server, which is nothing. */
export function newsFrom({ item }: WireItem): RoomNews | undefined {
  switch (item.case) {
    case "message":
      return { kind: "message", message: roomMessageFrom(item.value) };
    case "recall": {
      const { messageId, operator } = item.value;
      return { kind: "recalled", messageId, operator };
    }
    case "attributes": {
      const { operator, set, deleted } = item.value;
      return { kind: "attributes", operator, set: set.map(attributeFrom), deleted };
    }
    case "notice":
      return { kind: "notice", notice: noticeFrom(item.value) };
    default:
      return undefined;
  }
}

export function leftFrom({ reason, until, extra }: RoomLeftPush): RoomLeft {
  if (reason === Reason.DESTROYED) return { reason: "destroyed" };
  if (reason === Reason.JOINED_ANOTHER) return { reason: "joined-another" };
  return { reason: "removed", until: safeNumber(until), extra };
}
