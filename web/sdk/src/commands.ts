/**
 * The commands about messages, the list and receipts that are one request with one answer, as
 * methods; those about groups are in `group-commands.ts`, about conversations that users create in
 * `created-commands.ts`, about other people in `people-commands.ts`, about chat rooms in
 * `room-commands.ts`. Sending, wills and signing out are in `client.ts`, what keeps this side complete
 * in `core.ts`. How requests travel is the client's business: `ask` of `client.ts`.
 */
import { create } from "@bufbuild/protobuf";

import type { Core } from "./core.js";
import {
  AcknowledgeMessagesSchema,
  ClearHistorySchema,
  ConversationMarksSchema,
  DeleteConversationSchema,
  DeleteMessagesSchema,
  EditMessageSchema,
  GetMessagesSchema,
  GetReceiptsSchema,
  ListConversationsSchema,
  ListMentionsSchema,
  ListReadersSchema,
  MarkDeliveredSchema,
  MarkReadSchema,
  PullMessagesSchema,
  ReactSchema,
  RecallMessageSchema,
  SearchMessagesSchema,
  UpdateConversationSchema,
  UpdateExpansionSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { RoomCommands } from "./room-commands.js";
import type {
  Conversation,
  ConversationPage,
  ConversationSettings,
  HistoryPage,
  MentionOptions,
  Message,
  MessageState,
  MessageSearch,
  MessageSearchPage,
  ReaderPage,
  ReadPosition,
  ReceiptPage,
  Sendable,
} from "./types.js";
import * as wire from "./wire.js";

export interface HistoryOptions {
  /** Messages below this sequence; without it and `after`: the newest. */
  before?: number;
  /** Messages above this sequence. */
  after?: number;
  /** 1–100; 50 unless told. */
  limit?: number;
}

export interface PageOptions {
  /** Of the page before; empty or absent begins. */
  cursor?: string;
  limit?: number;
}

/**
 * `question`: may be asked twice, since a second time changes nothing. `action`: is sent once, and
 * fails when its answer was lost.
 */
export type Kind = "question" | "action";

export type Answer<C extends wire.Result["case"]> = Extract<wire.Result, { case: C }>["value"] &
  object;

export abstract class Commands extends RoomCommands {
  /** @internal */
  protected abstract core(): Core;

  /** A page of a conversation: the newest, or those before or after a sequence. */
  async history(conversation: string, options: HistoryOptions = {}): Promise<HistoryPage> {
    const { before, after, limit = 50 } = options;
    const value = create(PullMessagesSchema, {
      conversation,
      fromSeq: BigInt(after ?? before ?? 0),
      descending: after === undefined,
      limit,
    });
    // Nothing is below the first one; 0 would mean the newest.
    if (after === undefined && before !== undefined && before <= 1) {
      return { messages: [], more: false, nextSeq: 0, headSeq: 0, firstSeq: 1, rev: 0 };
    }
    return this.ask("question", { case: "pullMessages", value }, "messages", (result) => {
      const page = wire.historyFrom(result);
      const { more, nextSeq, headSeq, firstSeq } = page;
      if (after !== undefined) {
        const to = more ? nextSeq : headSeq;
        this.core().looked(conversation, page, after + 1, to);
      } else {
        const to = before === undefined ? headSeq : before - 1;
        const from = more ? nextSeq : Math.max(firstSeq, 1);
        this.core().looked(conversation, page, from, to);
      }
      return page;
    });
  }

  /** Messages by their sequence, at most 100; those that the user may not see are left out. */
  async getMessages(conversation: string, seqs: readonly number[]): Promise<readonly Message[]> {
    const value = create(GetMessagesSchema, { conversation, seqs: seqs.map(BigInt) });
    return this.ask("question", { case: "getMessages", value }, "messageList", (list) =>
      list.messages.map(wire.messageFrom),
    );
  }

  /**
   * Finds messages on the server, of all that this user may see; `local.search` looks at what is on
   * this device. A page may be empty and yet have a `cursor`: the search is over when it has none.
   */
  async searchMessages(search: MessageSearch): Promise<MessageSearchPage> {
    const {
      conversation = "",
      query = "",
      sender = "",
      type = "",
      limit = 0,
      cursor = "",
    } = search;
    const value = create(SearchMessagesSchema, {
      conversation,
      query,
      sender,
      type,
      fromTime: BigInt(search.since ?? 0),
      untilTime: BigInt(search.until ?? 0),
      limit,
      cursor,
    });
    return this.ask("question", { case: "searchMessages", value }, "searchPage", (page) => ({
      messages: page.messages.map(wire.messageFrom),
      cursor: page.cursor,
    }));
  }

  /** Everything up to `seq` is read. Never moves back; other devices of the user hear of it. */
  async markRead(conversation: string, seq: number): Promise<ReadPosition> {
    const value = create(MarkReadSchema, { conversation, seq: BigInt(seq) });
    return this.ask("question", { case: "markRead", value }, "markRead", (result) => {
      const position = wire.positionFrom(conversation, result);
      this.core().readUpTo(position);
      return position;
    });
  }

  /** A page of the conversation list as the server has it; `list` has it without asking. */
  async conversations(options: PageOptions = {}): Promise<ConversationPage> {
    const value = create(ListConversationsSchema, options);
    const command = { case: "listConversations", value } as const;
    return this.ask("question", command, "conversations", (page) => ({
      conversations: page.conversations.map(wire.conversationFrom),
      cursor: page.cursor,
    }));
  }

  /** Changes the user's own settings of a conversation, on all devices. */
  async updateConversation(
    conversation: string,
    settings: ConversationSettings,
  ): Promise<Conversation> {
    const { pinned, muted, hidden, marks, draft } = settings;
    const value = create(UpdateConversationSchema, {
      conversation,
      ...(pinned !== undefined && { pinned }),
      ...(muted !== undefined && { muted: wire.muteTo(muted) }),
      ...(hidden !== undefined && { hidden }),
      ...(marks && { marks: create(ConversationMarksSchema, { marks: [...marks] }) }),
      ...(draft !== undefined && { draft }),
    });
    return this.ask("question", { case: "updateConversation", value }, "conversation", (row) =>
      this.core().changedRow(row),
    );
  }

  /** Takes a conversation out of the user's list, with its settings, until the next message. */
  async deleteConversation(
    conversation: string,
    options: { withHistory?: boolean } = {},
  ): Promise<void> {
    const { withHistory = false } = options;
    const value = create(DeleteConversationSchema, { conversation, withHistory });
    await this.ask("question", { case: "deleteConversation", value }, "done");
  }

  /**
   * Takes a message back for everybody: its sender may for a while, owners and admins of a group
   * at any time. `changed` brings it to everybody who had it, this client included.
   */
  async recall(conversation: string, seq: number): Promise<MessageState> {
    const value = create(RecallMessageSchema, { conversation, seq: BigInt(seq) });
    return this.#change({ case: "recallMessage", value });
  }

  /** Gives one's own message another content of the same type. */
  async edit(
    conversation: string,
    seq: number,
    sendable: Sendable,
    mention?: MentionOptions,
  ): Promise<MessageState> {
    const value = create(EditMessageSchema, {
      conversation,
      seq: BigInt(seq),
      content: wire.contentTo(sendable),
      mention: mention && wire.mentionTo(mention),
    });
    return this.#change({ case: "editMessage", value });
  }

  /** Sets and removes keys of a message's expansion; at most 20 in one command. */
  async updateExpansion(
    conversation: string,
    seq: number,
    change: { put?: Readonly<Record<string, string>>; remove?: readonly string[] },
  ): Promise<MessageState> {
    const { put = {}, remove = [] } = change;
    const fields = { conversation, seq: BigInt(seq), put: { ...put }, remove: [...remove] };
    const value = create(UpdateExpansionSchema, fields);
    return this.#change({ case: "updateExpansion", value });
  }

  /** Adds the user's reaction, an emoji or a name of 1–64 bytes, or takes it back. */
  async react(
    conversation: string,
    seq: number,
    reaction: string,
    options: { remove?: boolean } = {},
  ): Promise<MessageState> {
    const { remove = false } = options;
    const value = create(ReactSchema, { conversation, seq: BigInt(seq), reaction, remove });
    return this.#change({ case: "react", value });
  }

  /** Unread messages that mention the user, the oldest first, at most 100. */
  async mentions(conversation: string): Promise<readonly Message[]> {
    const value = create(ListMentionsSchema, { conversation });
    return this.ask("question", { case: "listMentions", value }, "messageList", (list) =>
      list.messages.map(wire.messageFrom),
    );
  }

  /**
   * Deletes messages for this user only, on all devices; at most 100. `deleted` brings it to all of
   * them, this one included.
   */
  async deleteMessages(conversation: string, seqs: readonly number[]): Promise<void> {
    const value = create(DeleteMessagesSchema, { conversation, seqs: seqs.map(BigInt) });
    await this.ask("question", { case: "deleteMessages", value }, "deleted", (page) =>
      this.core().deletedOwn(conversation, wire.safeNumber(page.deletedVersion)),
    );
  }

  /** Deletes everything, or everything up to a sequence, for this user only. */
  async clearHistory(conversation: string, upToSeq = 0): Promise<void> {
    const value = create(ClearHistorySchema, { conversation, upToSeq: BigInt(upToSeq) });
    await this.ask("question", { case: "clearHistory", value }, "conversation", (row) => {
      this.core().changedRow(row);
    });
  }

  /** Everything up to `seq` has arrived on this device. Reading implies it. */
  async markDelivered(conversation: string, seq: number): Promise<void> {
    const value = create(MarkDeliveredSchema, { conversation, seq: BigInt(seq) });
    await this.ask("question", { case: "markDelivered", value }, "done");
  }

  /** Tells the senders of these messages, if they asked for it, that they were taken note of. */
  async acknowledge(conversation: string, seqs: readonly number[]): Promise<void> {
    const value = create(AcknowledgeMessagesSchema, { conversation, seqs: seqs.map(BigInt) });
    await this.ask("question", { case: "acknowledgeMessages", value }, "done");
  }

  /** Where the members stand: of those that moved since a version, which the page tells. */
  async receipts(
    conversation: string,
    options: { fromVersion?: number; limit?: number } = {},
  ): Promise<ReceiptPage> {
    const { fromVersion = 0, limit = 0 } = options;
    const fields = { conversation, fromVersion: BigInt(fromVersion), limit };
    const value = create(GetReceiptsSchema, fields);
    return this.ask("question", { case: "getReceipts", value }, "receipts", (page) => ({
      receipts: page.receipts.map(wire.receiptFrom),
      version: wire.safeNumber(page.version),
      more: page.more,
    }));
  }

  /** Who has read one's own message; or, with `acknowledged`, who acknowledged it. */
  async readers(
    conversation: string,
    seq: number,
    options: PageOptions & { acknowledged?: boolean } = {},
  ): Promise<ReaderPage> {
    const value = create(ListReadersSchema, { conversation, seq: BigInt(seq), ...options });
    return this.ask("question", { case: "listReaders", value }, "readers", (page) => ({
      users: page.users,
      cursor: page.cursor,
      count: page.count,
      of: page.of,
    }));
  }

  /** A change of a message has the same effect the second time, and may be asked for twice. */
  #change(command: wire.Command): Promise<MessageState> {
    return this.ask("question", command, "messageChanged", ({ conversation, state }) => {
      const changed = wire.stateFrom(state);
      this.core().changedOwn(conversation, changed.rev);
      return changed;
    });
  }
}
