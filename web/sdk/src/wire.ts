/**
 * Between the generated types of the wire and those that an application sees. The only place
 * where a 64-bit number becomes a `number`, and it is checked there.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";

import { AnserError, brokenProtocol } from "./errors.js";
import {
  type Conversation as WireConversation,
  type Error as WireError,
  type Group as WireGroup,
  type GroupMemberPage as WireGroupMemberPage,
  type Message as WireMessage,
  type MessagePage as WireMessagePage,
  type Request,
  type Response,
  type ServerItem,
  ClientFrameSchema,
  GroupNotice_Kind,
  GroupNoticeSchema,
  GroupRole,
  Platform as WirePlatform,
  RequestSchema,
  ServerFrameSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { group } from "./conversation.js";
import type {
  Content,
  Conversation,
  Group,
  GroupMemberPage,
  GroupNotice,
  HistoryPage,
  Message,
  Platform,
  Sendable,
} from "./types.js";

export type Command = Request["command"];
export type Result = Response["result"];

const utf8Encoder = new TextEncoder();
const utf8Decoder = new TextDecoder();

/** One request as a frame of its own. Frames glued together are one frame with all requests. */
export function encodeRequest(id: number, command: Command): Uint8Array {
  const request = create(RequestSchema, { id });
  request.command = command;
  return toBinary(ClientFrameSchema, create(ClientFrameSchema, { requests: [request] }));
}

export function decodeFrame(bytes: Uint8Array): ServerItem[] {
  try {
    return fromBinary(ServerFrameSchema, bytes).items;
  } catch (error) {
    throw brokenProtocol(String(error));
  }
}

export function safeNumber(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) throw brokenProtocol(`${value} is beyond 2^53`);
  return number;
}

export function errorFrom(error: WireError | undefined): AnserError {
  if (!error) return brokenProtocol("an error without a code");
  return new AnserError(error.code, error.name, error.message, error.retryAfterMs);
}

export function contentFrom(sendable: Sendable): Content {
  const { type, body } = typeof sendable === "string" ? { type: "text", body: sendable } : sendable;
  return { type, body: typeof body === "string" ? utf8Encoder.encode(body) : body };
}

export function makeMessage(
  fields: Omit<Message, "text" | "notice" | "content">,
  content: Content,
): Message {
  return {
    ...fields,
    content,
    text: content.type === "text" ? utf8Decoder.decode(content.body) : undefined,
    notice: content.type === "anser.group" ? noticeFrom(content.body) : undefined,
  };
}

export function messageFrom(wire: WireMessage | undefined): Message {
  if (!wire) throw brokenProtocol("a message is missing");
  return makeMessage(
    {
      conversation: wire.conversation,
      seq: safeNumber(wire.seq),
      id: wire.messageId,
      sender: wire.sender,
      clientMessageId: wire.clientMessageId,
      time: safeNumber(wire.time),
      counted: wire.counted,
    },
    { type: wire.content?.type ?? "", body: wire.content?.body ?? new Uint8Array() },
  );
}

const NOTICE_KINDS: Record<GroupNotice_Kind, GroupNotice["kind"]> = {
  [GroupNotice_Kind.KIND_UNSPECIFIED]: "unknown",
  [GroupNotice_Kind.CREATED]: "created",
  [GroupNotice_Kind.ADDED]: "added",
  [GroupNotice_Kind.REMOVED]: "removed",
  [GroupNotice_Kind.QUIT]: "quit",
  [GroupNotice_Kind.DISMISSED]: "dismissed",
};

function noticeFrom(body: Uint8Array): GroupNotice | undefined {
  try {
    const { kind, operator, users, userCount } = fromBinary(GroupNoticeSchema, body);
    return { kind: NOTICE_KINDS[kind] ?? "unknown", operator, users, userCount };
  } catch {
    // One odd notice must not make the conversation unreadable.
    return undefined;
  }
}

export function conversationFrom(wire: WireConversation | undefined): Conversation {
  if (!wire) throw brokenProtocol("a conversation is missing");
  return {
    id: wire.id,
    name: wire.name,
    headSeq: safeNumber(wire.headSeq),
    newest: wire.newest && messageFrom(wire.newest),
    lastTime: safeNumber(wire.lastTime),
    unread: safeNumber(wire.unread),
    readSeq: safeNumber(wire.readSeq),
    firstSeq: safeNumber(wire.firstSeq),
    member: wire.member,
  };
}

export function historyFrom(wire: WireMessagePage): HistoryPage {
  const messages = wire.messages.map(messageFrom).sort((a, b) => a.seq - b.seq);
  return {
    messages,
    more: wire.more,
    headSeq: safeNumber(wire.headSeq),
    firstSeq: safeNumber(wire.firstSeq),
  };
}

export function groupFrom(wire: WireGroup): Group {
  return {
    id: wire.groupId,
    conversation: group(wire.groupId),
    name: wire.name,
    owner: wire.owner,
    memberCount: wire.memberCount,
    createdTime: safeNumber(wire.createdTime),
  };
}

export function membersFrom(wire: WireGroupMemberPage): GroupMemberPage {
  const members = wire.members.map(({ userId, role, joinedTime }) => ({
    userId,
    role: role === GroupRole.OWNER ? ("owner" as const) : ("member" as const),
    joinedTime: safeNumber(joinedTime),
  }));
  return { members, cursor: wire.cursor };
}

const PLATFORMS: Record<Platform, WirePlatform> = {
  ios: WirePlatform.IOS,
  android: WirePlatform.ANDROID,
  web: WirePlatform.WEB,
  desktop: WirePlatform.DESKTOP,
  "mini-program": WirePlatform.MINI_PROGRAM,
  server: WirePlatform.SERVER,
};

export function platformTo(platform: Platform): WirePlatform {
  return PLATFORMS[platform];
}
