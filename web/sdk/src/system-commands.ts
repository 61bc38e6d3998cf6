/**
 * The commands about conversations of the app's backend. Their messages, read positions and
 * settings are those of every conversation.
 */
import { create } from "@bufbuild/protobuf";

import { CreatedCommands } from "./created-commands.js";
import { objectFrom } from "./created-wire.js";
import {
  GetSystemConversationSchema,
  type SystemConversation as WireSystem,
  SubscribeSchema,
  UnsubscribeSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";
import type { SystemConversation } from "./system-types.js";

function systemFrom(wire: WireSystem): SystemConversation {
  return {
    conversation: wire.conversation,
    name: wire.name,
    portrait: wire.portrait,
    attributes: objectFrom(wire.attributes),
    everyone: wire.everyone,
    createdTime: safeNumber(wire.createdTime),
    updatedTime: safeNumber(wire.updatedTime),
  };
}

export abstract class SystemCommands extends CreatedCommands {
  /**
   * Subscribes the user to a system conversation, `s/<id>`: it comes into the list, and what is
   * sent from then on is for the user. Changes nothing for who is subscribed. Refused with
   * `EVERYONE_SUBSCRIBED` or `TAG_DECIDES` where nobody comes or goes.
   */
  async subscribe(conversation: string): Promise<SystemConversation> {
    const command = {
      case: "subscribe",
      value: create(SubscribeSchema, { conversation }),
    } as const;
    return this.ask("question", command, "systemConversation", systemFrom);
  }

  /** Takes the subscription back: the conversation is not among the user's any more. */
  async unsubscribe(conversation: string): Promise<void> {
    const value = create(UnsubscribeSchema, { conversation });
    await this.ask("question", { case: "unsubscribe", value }, "done");
  }

  /** What a system conversation is; every user of the app may ask, subscribed or not. */
  async getSystemConversation(conversation: string): Promise<SystemConversation> {
    const value = create(GetSystemConversationSchema, { conversation });
    const command = { case: "getSystemConversation", value } as const;
    return this.ask("question", command, "systemConversation", systemFrom);
  }
}
