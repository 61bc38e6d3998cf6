/** What an application sees. Numbers that are 64 bits wide on the wire were checked to be safe. */
import type { AnserError } from "./errors.js";
import type { GroupInvitation, GroupNotice, JoinRequest } from "./group-types.js";
import type { Presence, RelationChange } from "./people-types.js";
import type { RoomEvent } from "./room-types.js";

export type * from "./created-types.js";
export type * from "./group-types.js";
export type * from "./people-types.js";
export type * from "./system-types.js";
export type * from "./room-types.js";

/** `text`, or a type of the application's own: 1–64 of `[a-z0-9._:-]`. */
export interface Content {
  readonly type: string;
  readonly body: Uint8Array;
}

/** What `send` takes: a text, or content with a body of text or bytes. */
export type Sendable = string | { readonly type: string; readonly body: string | Uint8Array };

export interface Message {
  readonly conversation: string;
  /** 1, 2, 3 … within the conversation. */
  readonly seq: number;
  readonly id: string;
  readonly sender: string;
  /** Given by the sender; empty on the server's notices. */
  readonly clientMessageId: string;
  /** Unix milliseconds by the server's clock; never falls as `seq` grows. */
  readonly time: number;
  readonly content: Content;
  /** The body of a text message. */
  readonly text: string | undefined;
  /** What happened to the group, for messages of type `anser.group`. */
  readonly notice: GroupNotice | undefined;
  /** Does it count as unread for those who did not send it? */
  readonly counted: boolean;
  /** Whom it mentions. */
  readonly mention: Mention | undefined;
  /** Not empty: only these users, and the sender, can see it. */
  readonly targets: readonly string[];
  /** Deleted for both sides so many seconds after it was read; 0: it stays. */
  readonly burnAfterSeconds: number;
  /** The sender asked to be told who acknowledges it. */
  readonly receiptWanted: boolean;
  /** What happened to it since it was sent. */
  readonly state: MessageState | undefined;
}

export interface Mention {
  readonly all: boolean;
  /** At most 100. */
  readonly users: readonly string[];
  /** The app may notify even those who don't want to be disturbed by this conversation. */
  readonly overridesMute: boolean;
}

/** What `send` and `edit` take. */
export interface MentionOptions {
  all?: boolean;
  users?: readonly string[];
  overridesMute?: boolean;
}

/** What happened to a message since it was sent. A change replaces all of it. */
export interface MessageState {
  /** The conversation's `rev` of the last change. */
  readonly rev: number;
  /** Unix milliseconds of the last change. */
  readonly time: number;
  /** It was taken back: content and mention are gone, and it is unread for nobody. */
  readonly recall: Recall | undefined;
  /** Its content is a later one than was sent. */
  readonly edit: Edit | undefined;
  /** By key, with who set it last. */
  readonly expansion: readonly Expansion[];
  readonly reactions: readonly Reaction[];
}

export interface Recall {
  /** Empty: the server's API, or it burned. */
  readonly operator: string;
  readonly time: number;
  /** It was read, and its time was over. */
  readonly burned: boolean;
}

export interface Edit {
  readonly operator: string;
  readonly time: number;
  /** How often it was edited. */
  readonly count: number;
}

export interface Expansion {
  readonly key: string;
  readonly value: string;
  readonly user: string;
}

export interface Reaction {
  readonly reaction: string;
  /** In the order of their reacting. */
  readonly users: readonly string[];
}

/** A row of the user's conversation list. */
export interface Conversation {
  readonly id: string;
  /** The name of a group. */
  readonly name: string;
  /** Last sequence that exists; 0 when it is empty. */
  readonly headSeq: number;
  /** The newest message the user may see. */
  readonly newest: Message | undefined;
  /** Unix milliseconds of the newest message, or of joining. */
  readonly lastTime: number;
  readonly unread: number;
  /** How many unread messages mention the user, those to all included. */
  readonly unreadMentions: number;
  /** Up to where this user has read. */
  readonly readSeq: number;
  /** Lowest sequence this user may read. */
  readonly firstSeq: number;
  /** Counts the changes of its messages. */
  readonly rev: number;
  /** Counts the messages that the user deleted for themself. */
  readonly deletedVersion: number;
  /** False once the user is no longer in it, or is only invited. */
  readonly member: boolean;
  /** The user was invited to this group and has not answered; see `acceptGroupInvitation`. */
  readonly invitation: GroupInvitation | undefined;
  /** The user's own settings, the same on all devices; see `updateConversation`. */
  readonly pinned: boolean;
  readonly muted: Mute;
  /** Left out of the list until the next message. */
  readonly hidden: boolean;
  readonly marks: readonly string[];
  /** What the user began to write, on whichever device. */
  readonly draft: string;
  /** Of a temporary one: when it ends, by the server's clock, in Unix milliseconds. */
  readonly endTime?: number;
}

/** Of what the user does not want to be notified: nothing, all but mentions, all. */
export type Mute = "none" | "except-mentions" | "all";

/** What is absent stays. */
export interface ConversationSettings {
  pinned?: boolean;
  muted?: Mute;
  hidden?: boolean;
  /** Replaces all: at most 8 of 1–32 bytes. */
  marks?: readonly string[];
  /** At most 4,096 bytes. */
  draft?: string;
}

export interface ConversationPage {
  /** Pinned ones first, then by last activity, newest first. */
  readonly conversations: readonly Conversation[];
  /** Continues the list; empty on the last page. */
  readonly cursor: string;
}

export interface HistoryPage {
  /** Ascending, whichever direction was asked for. */
  readonly messages: readonly Message[];
  /** There is more in the direction asked for. */
  readonly more: boolean;
  /**
   * While there is more: `before` or `after` of the next call. Not always the last message here,
   * since messages that only others may see are left out.
   */
  readonly nextSeq: number;
  readonly headSeq: number;
  readonly firstSeq: number;
  /** Counts the changes of messages: the page has those up to here. */
  readonly rev: number;
}

/** What `searchMessages` looks for: all of it must hold, and something must be named. */
export interface MessageSearch {
  /** Words that all are in the text, or in the name of a file or a place; at most 256 characters. */
  query?: string;
  /** All of the user's unless told. */
  conversation?: string;
  sender?: string;
  /** Of the content. */
  type?: string;
  /** Not sent before, sent before: Unix milliseconds. */
  since?: number;
  until?: number;
  /** 1–100; 50 unless told. */
  limit?: number;
  /** Of the page before. */
  cursor?: string;
}

export interface MessageSearchPage {
  /** Conversation by conversation, in the order of their names; the newest of each first. */
  readonly messages: readonly Message[];
  /** Where the search goes on; empty: all was looked at. */
  readonly cursor: string;
}

/** Where a member of a conversation stands. */
export interface Receipt {
  readonly user: string;
  readonly deliveredSeq: number;
  readonly readSeq: number;
}

/** Somebody took note of a message that asked for it. */
export interface Acknowledgement {
  readonly seq: number;
  readonly user: string;
  readonly time: number;
}

export interface Receipts {
  readonly conversation: string;
  readonly receipts: readonly Receipt[];
  readonly acknowledgements: readonly Acknowledgement[];
}

export interface ReceiptPage {
  readonly receipts: readonly Receipt[];
  /** Ask from here the next time. */
  readonly version: number;
  readonly more: boolean;
}

export interface ReaderPage {
  readonly users: readonly string[];
  /** Continues the list; empty on the last page. */
  readonly cursor: string;
  /** How many of how many who could, on all pages. */
  readonly count: number;
  readonly of: number;
}

export interface ReadPosition {
  readonly conversation: string;
  readonly readSeq: number;
  readonly unread: number;
  readonly unreadMentions: number;
}

export type Platform = "ios" | "android" | "web" | "desktop" | "mini-program" | "server";

/** The life of the connection. */
export type ConnectionState =
  | { readonly state: "connecting" }
  | { readonly state: "connected"; readonly userId: string; readonly sessionId: string }
  /** Will try again by itself; `retryAt` is Unix milliseconds on this device's clock. */
  | {
      readonly state: "waiting";
      readonly retryAt: number;
      readonly failures: number;
      readonly error: AnserError;
    }
  /** At rest; with an error when it can't or must not come back by itself. */
  | { readonly state: "closed"; readonly error: AnserError | undefined };

/** Messages that existed and that this client won't deliver as events; read `history` instead. */
export interface Skipped {
  readonly conversation: string;
  readonly fromSeq: number;
  readonly toSeq: number;
  /** `retention`: the server no longer has them. `limit`: too many were missed. */
  readonly reason: "retention" | "limit";
}

export interface Events {
  /** The state of the connection changed. */
  connection: ConnectionState;
  /**
   * A message, one's own included: of each conversation in order, each exactly once, without a
   * gap but those told by `skipped`.
   */
  message: Message;
  /** A message changed: recalled, edited, expanded, reacted to. It comes as it is now. */
  changed: Message;
  /** The user deleted messages for themself, on whichever device. */
  deleted: { readonly conversation: string; readonly seqs: readonly number[] };
  /** A message that was never stored, such as that somebody is typing; it has no sequence. */
  transient: Message;
  /** The user's read position moved, on whichever device. */
  read: ReadPosition;
  /** Others received, read or acknowledged messages. */
  receipts: Receipts;
  /** More changed in a conversation than is fetched: what is shown of it is to be loaded anew. */
  outdated: { readonly conversation: string };
  /** The local database failed: what happens from now on is not kept on this device. */
  storage: AnserError;
  /** A row of the conversation list is new or changed otherwise than by a message. */
  conversation: Conversation;
  /**
   * To the owner and the admins of a group: somebody asks to be let in; to who asked: they were
   * rejected. It may be lost: `joinRequests` has all that wait.
   */
  joinRequest: JoinRequest;
  /** One of the user's own lists changed, on whichever device. */
  relations: RelationChange;
  /** Somebody whom this user watches came, went, or has other words; see `subscribePresence`. */
  presence: Presence;
  /** Something happened in a chat room that the client is in. */
  room: RoomEvent;
  /** Messages that `message` won't bring. */
  skipped: Skipped;
  /** What was cached of the conversation list is void; `epochChanged`: of messages, too. */
  reset: { readonly epochChanged: boolean };
  /** A sync is complete: the conversation list is up to date. */
  synced: undefined;
  /** The connection ended and won't come back by itself. */
  closed: AnserError | undefined;
}
