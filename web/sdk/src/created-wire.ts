/** Between created conversations on the wire and as an application sees them. */
import { create } from "@bufbuild/protobuf";

import type { ConversationsFound, CreatedConversation, JsonObject } from "./created-types.js";
import { brokenProtocol } from "./errors.js";
import {
  ConversationSettingsSchema,
  type ConversationsFound as WireFound,
  type CreatedConversation as WireCreated,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";

/** A JSON object as its text; empty: none. */
export function objectFrom(text: string): JsonObject {
  if (text === "") return {};
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    throw brokenProtocol("attributes that are no JSON");
  }
}

export function createdFrom(wire: WireCreated): CreatedConversation {
  const settings = wire.settings ?? create(ConversationSettingsSchema);
  return {
    conversation: wire.conversation,
    name: wire.name,
    owner: wire.owner,
    memberCount: wire.memberCount,
    createdTime: safeNumber(wire.createdTime),
    updatedTime: safeNumber(wire.updatedTime),
    lastTime: safeNumber(wire.lastTime),
    attributes: objectFrom(wire.attributes),
    settings: {
      public: settings.public,
      open: settings.open,
      muted: settings.muted,
      historyVisible: settings.historyVisible,
    },
    managers: wire.managers,
    unique: wire.unique,
    reused: wire.reused,
    ...(wire.endTime > 0n && { endTime: safeNumber(wire.endTime) }),
  };
}

export function foundFrom({ conversations, matched, complete }: WireFound): ConversationsFound {
  return { conversations: conversations.map(createdFrom), matched, complete };
}
