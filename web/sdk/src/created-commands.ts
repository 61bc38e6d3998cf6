/**
 * The commands about conversations that users create. Their messages, receipts and settings are
 * those of every conversation; their members, mutes and blocks read like a group's.
 */
import { type MessageInitShape, create } from "@bufbuild/protobuf";

import type { PageOptions } from "./commands.js";
import type {
  ConversationsFound,
  CreateOptions,
  CreatedConversation,
  CreatedUpdate,
  QueryOptions,
} from "./created-types.js";
import { createdFrom, foundFrom } from "./created-wire.js";
import {
  ChangeConversationSchema,
  CreateConversationSchema,
  GetCreatedConversationSchema,
  GroupRole as WireGroupRole,
  ListConversationBlocksSchema,
  ListConversationMembersSchema,
  QueryConversationsSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { GroupCommands } from "./group-commands.js";
import type { GroupMemberPage, GroupUserPage } from "./group-types.js";
import { membersFrom, usersFrom } from "./group-wire.js";

type Change = NonNullable<MessageInitShape<typeof ChangeConversationSchema>["change"]>;

export abstract class CreatedCommands extends GroupCommands {
  /**
   * Creates a conversation with this user as its owner. With `unique` it is asked again when its
   * answer was lost, since the same one is the answer; without, it fails then.
   */
  async createConversation(options: CreateOptions = {}): Promise<CreatedConversation> {
    const { name = "", members = [], attributes, unique = false } = options;
    const { temporary = false, seconds = 0 } = options;
    const value = create(CreateConversationSchema, {
      name,
      members: [...members],
      attributes: attributes ? JSON.stringify(attributes) : "",
      public: options.public ?? false,
      unique,
      temporary,
      seconds,
    });
    const command = { case: "createConversation", value } as const;
    const kind = unique ? "question" : "action";
    return this.ask(kind, command, "createdConversation", createdFrom);
  }

  async getCreatedConversation(conversation: string): Promise<CreatedConversation> {
    const value = create(GetCreatedConversationSchema, { conversation });
    const command = { case: "getCreatedConversation", value } as const;
    return this.ask("question", command, "createdConversation", createdFrom);
  }

  /** Adds users who are not in it; at most 100. */
  async inviteToConversation(
    conversation: string,
    users: readonly string[],
  ): Promise<CreatedConversation> {
    return this.#change(conversation, { case: "invite", value: { users: [...users] } });
  }

  async removeFromConversation(
    conversation: string,
    users: readonly string[],
  ): Promise<CreatedConversation> {
    return this.#change(conversation, { case: "remove", value: { users: [...users] } });
  }

  /** Comes into a public conversation. */
  async joinConversation(conversation: string): Promise<CreatedConversation> {
    return this.#change(conversation, { case: "join", value: {} });
  }

  /** The owner may leave, too; it goes on without one until they are back. */
  async leaveConversation(conversation: string): Promise<void> {
    await this.#end(conversation, { case: "leave", value: {} });
  }

  /** Ends it for everybody; for the owner. */
  async dismissConversation(conversation: string): Promise<void> {
    await this.#end(conversation, { case: "dismiss", value: {} });
  }

  /** Changes the name, attributes by path, and the settings. */
  async updateCreatedConversation(
    conversation: string,
    update: CreatedUpdate,
  ): Promise<CreatedConversation> {
    const { setAttributes = {}, unsetAttributes = [], ...rest } = update;
    const set = Object.entries(setAttributes).map(([path, value]) => [path, JSON.stringify(value)]);
    const value = {
      ...rest,
      setAttributes: Object.fromEntries(set) as Record<string, string>,
      unsetAttributes: [...unsetAttributes],
    };
    return this.#change(conversation, { case: "update", value });
  }

  /** Makes members managers (`admin`), or plain members again; at most 100. */
  async setConversationRole(
    conversation: string,
    users: readonly string[],
    role: "admin" | "member",
  ): Promise<CreatedConversation> {
    const wire = role === "admin" ? WireGroupRole.ADMIN : WireGroupRole.MEMBER;
    const value = { users: [...users], role: wire };
    return this.#change(conversation, { case: "setRole", value });
  }

  /** Mutes members that stand lower, at most ten years; 0 seconds lift it. */
  async muteInConversation(
    conversation: string,
    users: readonly string[],
    seconds: number,
  ): Promise<CreatedConversation> {
    const value = { users: [...users], seconds: BigInt(seconds) };
    return this.#change(conversation, { case: "mute", value });
  }

  /** Removes users and keeps them out, at most ten years; 0 seconds let them in again. */
  async blockFromConversation(
    conversation: string,
    users: readonly string[],
    seconds: number,
  ): Promise<CreatedConversation> {
    const value = { users: [...users], seconds: BigInt(seconds) };
    return this.#change(conversation, { case: "block", value });
  }

  /** Another member owns it from now on. */
  async transferConversation(conversation: string, owner: string): Promise<CreatedConversation> {
    return this.#change(conversation, { case: "transfer", value: owner });
  }

  /** With `muted`, only those who are; a page may then hold fewer, and not be the last. */
  async conversationMembers(
    conversation: string,
    options: PageOptions & { muted?: boolean } = {},
  ): Promise<GroupMemberPage> {
    const value = create(ListConversationMembersSchema, { conversation, ...options });
    const command = { case: "listConversationMembers", value } as const;
    return this.ask("question", command, "groupMembers", membersFrom);
  }

  /** Who is kept out; for the owner and the managers. */
  async conversationBlocks(
    conversation: string,
    options: PageOptions = {},
  ): Promise<GroupUserPage> {
    const value = create(ListConversationBlocksSchema, { conversation, ...options });
    const command = { case: "listConversationBlocks", value } as const;
    return this.ask("question", command, "groupUsers", usersFrom);
  }

  /** Finds created conversations that the user is in. */
  async queryConversations(options: QueryOptions = {}): Promise<ConversationsFound> {
    const { filter, sort = [], skip = 0, limit = 0 } = options;
    const value = create(QueryConversationsSchema, {
      filter: filter ? JSON.stringify(filter) : "",
      sort: [...sort],
      skip,
      limit,
    });
    const command = { case: "queryConversations", value } as const;
    return this.ask("question", command, "conversationsFound", foundFrom);
  }

  /** What is so already is not changed again, and may be asked for twice. */
  #change(conversation: string, change: Change): Promise<CreatedConversation> {
    const value = create(ChangeConversationSchema, { conversation, change });
    const kind = change.case === "transfer" ? "action" : "question";
    const command = { case: "changeConversation", value } as const;
    return this.ask(kind, command, "createdConversation", createdFrom);
  }

  async #end(conversation: string, change: Change): Promise<void> {
    const value = create(ChangeConversationSchema, { conversation, change });
    await this.ask("action", { case: "changeConversation", value }, "done");
  }
}
