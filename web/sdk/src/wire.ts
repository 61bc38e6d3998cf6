/**
 * Between the generated types of the wire and those that an application sees; groups are in
 * `group-wire.ts`. A 64-bit number becomes a `number` here, checked by `safeNumber`.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";

import { AnserError, brokenProtocol } from "./errors.js";
import {
  type Conversation as WireConversation,
  type Error as WireError,
  type Mention as WireMention,
  type Message as WireMessage,
  type MessagePage as WireMessagePage,
  type MessageState as WireMessageState,
  type Receipt as WireReceipt,
  type ReceiptPush,
  type Request,
  type Response,
  type ServerItem,
  ClientFrameSchema,
  type Content as WireContent,
  ContentSchema,
  MentionSchema,
  Mute as WireMute,
  Platform as WirePlatform,
  RequestSchema,
  type SendMessage as WireSendMessage,
  SendMessageSchema,
  ServerFrameSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { noticeFrom } from "./group-wire.js";
import { safeNumber } from "./numbers.js";
import type { SavedOutgoing } from "./store/database.js";
import type {
  Content,
  Conversation,
  HistoryPage,
  Mention,
  MentionOptions,
  Message,
  MessageState,
  Mute,
  Platform,
  ReadPosition,
  Receipt,
  Receipts,
  Sendable,
} from "./types.js";

export { safeNumber };

/** The type of messages for the application, which are never shown and not kept. */
const COMMAND = "command";

export function isCommand({ content }: { readonly content: { readonly type: string } }): boolean {
  return content.type === COMMAND;
}

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

export function errorFrom(error: WireError | undefined): AnserError {
  if (!error) return brokenProtocol("an error without a code");
  return new AnserError(error.code, error.name, error.message, error.retryAfterMs);
}

export function contentFrom(sendable: Sendable): Content {
  const { type, body } = typeof sendable === "string" ? { type: "text", body: sendable } : sendable;
  return { type, body: typeof body === "string" ? utf8Encoder.encode(body) : body };
}

export function contentTo(sendable: Sendable): WireContent {
  const { type, body } = contentFrom(sendable);
  return create(ContentSchema, { type, body });
}

/** The body of a text. */
export function textOf({ type, body }: Content): string | undefined {
  return type === "text" ? utf8Decoder.decode(body) : undefined;
}

export function makeMessage(
  fields: Omit<Message, "text" | "notice" | "content">,
  content: Content,
): Message {
  return {
    ...fields,
    content,
    text: textOf(content),
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
      mention: wire.mention && mentionFrom(wire.mention),
      targets: wire.targets,
      burnAfterSeconds: wire.burnAfterSeconds,
      receiptWanted: wire.receiptWanted,
      state: wire.state && stateFrom(wire.state),
    },
    { type: wire.content?.type ?? "", body: wire.content?.body ?? new Uint8Array() },
  );
}

function mentionFrom({ all, users, overridesMute }: WireMention): Mention {
  return { all, users, overridesMute };
}

export function wholeMention(options: MentionOptions): Mention {
  const { all = false, users = [], overridesMute = false } = options;
  return { all, users: [...users], overridesMute };
}

export function mentionTo(options: MentionOptions): WireMention {
  const { all, users, overridesMute } = wholeMention(options);
  return create(MentionSchema, { all, users: [...users], overridesMute });
}

export function stateFrom(wire: WireMessageState | undefined): MessageState {
  if (!wire) throw brokenProtocol("the state of a message is missing");
  const { recall, edit } = wire;
  return {
    rev: safeNumber(wire.rev),
    time: safeNumber(wire.time),
    recall: recall && {
      operator: recall.operator,
      time: safeNumber(recall.time),
      burned: recall.burned,
    },
    edit: edit && { operator: edit.operator, time: safeNumber(edit.time), count: edit.count },
    expansion: wire.expansion.map(({ key, value, user }) => ({ key, value, user })),
    reactions: wire.reactions.map(({ reaction, users }) => ({ reaction, users })),
  };
}

/** A message on its way, as it travels. */
export function sendTo(saved: SavedOutgoing, firstTry: number): WireSendMessage {
  const { conversation, clientMessageId, content, mention, targets } = saved;
  const { uncounted, receiptWanted, burnAfterSeconds } = saved;
  return create(SendMessageSchema, {
    conversation,
    clientMessageId,
    content: { type: content.type, body: content.body },
    firstTryTime: BigInt(firstTry),
    readUpTo: BigInt(saved.readUpTo),
    ...(mention && { mention: mentionTo(mention) }),
    targets: [...targets],
    uncounted,
    receiptWanted,
    burnAfterSeconds,
  });
}

/** One's own message as everybody has it, from what the server answered. */
export function ownMessage(
  saved: SavedOutgoing,
  sender: string,
  place: Pick<Message, "seq" | "id" | "time">,
): Message {
  const { conversation, clientMessageId, content, mention, targets } = saved;
  const { receiptWanted, burnAfterSeconds } = saved;
  const counted = !saved.uncounted && content.type !== COMMAND;
  const options = { mention, targets, receiptWanted, burnAfterSeconds, counted };
  const fields = { conversation, clientMessageId, sender, state: undefined, ...place };
  return makeMessage({ ...fields, ...options }, content);
}

const MUTES: Record<WireMute, Mute> = {
  [WireMute.NONE]: "none",
  [WireMute.EXCEPT_MENTIONS]: "except-mentions",
  [WireMute.ALL]: "all",
};

export function muteTo(muted: Mute): WireMute {
  if (muted === "all") return WireMute.ALL;
  return muted === "none" ? WireMute.NONE : WireMute.EXCEPT_MENTIONS;
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
    unreadMentions: safeNumber(wire.unreadMentions),
    readSeq: safeNumber(wire.readSeq),
    firstSeq: safeNumber(wire.firstSeq),
    rev: safeNumber(wire.rev),
    deletedVersion: safeNumber(wire.deletedVersion),
    member: wire.member,
    invitation: wire.invitation && {
      operator: wire.invitation.operator,
      time: safeNumber(wire.invitation.time),
    },
    pinned: wire.pinned,
    muted: MUTES[wire.muted] ?? "none",
    hidden: wire.hidden,
    marks: wire.marks,
    draft: wire.draft,
    ...(wire.endTime > 0n && { endTime: safeNumber(wire.endTime) }),
  };
}

export function positionFrom(
  conversation: string,
  wire: { readSeq: bigint; unread: bigint; unreadMentions: bigint },
): ReadPosition {
  return {
    conversation,
    readSeq: safeNumber(wire.readSeq),
    unread: safeNumber(wire.unread),
    unreadMentions: safeNumber(wire.unreadMentions),
  };
}

export function historyFrom(wire: WireMessagePage): HistoryPage {
  const messages = wire.messages.map(messageFrom).sort((a, b) => a.seq - b.seq);
  return {
    messages,
    more: wire.more,
    nextSeq: safeNumber(wire.nextSeq) || safeNumber(wire.messages.at(-1)?.seq ?? 0n),
    headSeq: safeNumber(wire.headSeq),
    firstSeq: safeNumber(wire.firstSeq),
    rev: safeNumber(wire.rev),
  };
}

export function receiptFrom({ user, deliveredSeq, readSeq }: WireReceipt): Receipt {
  return { user, deliveredSeq: safeNumber(deliveredSeq), readSeq: safeNumber(readSeq) };
}

export function receiptsFrom(wire: ReceiptPush): Receipts {
  return {
    conversation: wire.conversation,
    receipts: wire.receipts.map(receiptFrom),
    acknowledgements: wire.acknowledgements.map(({ seq, user, time }) => ({
      seq: safeNumber(seq),
      user,
      time: safeNumber(time),
    })),
  };
}

const PLATFORMS: Record<Platform, WirePlatform> = {
  ios: WirePlatform.IOS,
  android: WirePlatform.ANDROID,
  web: WirePlatform.WEB,
  desktop: WirePlatform.DESKTOP,
  "mini-program": WirePlatform.MINI_PROGRAM,
  server: WirePlatform.SERVER,
};

const PLATFORMS_BACK = new Map(
  Object.entries(PLATFORMS).map(([platform, wire]) => [wire, platform as Platform]),
);

export function platformFrom(wire: WirePlatform): Platform | undefined {
  return PLATFORMS_BACK.get(wire);
}

export function platformTo(platform: Platform): WirePlatform {
  return PLATFORMS[platform];
}
