/** What an application sees. Numbers that are 64 bits wide on the wire were checked to be safe. */
import type { AnserError } from "./errors.js";

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
}

export interface GroupNotice {
  readonly kind: "created" | "added" | "removed" | "quit" | "dismissed" | "unknown";
  /** Who did it; empty: the server's API. */
  readonly operator: string;
  /** To whom: at most 100 are named. */
  readonly users: readonly string[];
  readonly userCount: number;
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
  /** Up to where this user has read. */
  readonly readSeq: number;
  /** Lowest sequence this user may read. */
  readonly firstSeq: number;
  /** False once the user is no longer in it. */
  readonly member: boolean;
}

export interface ConversationPage {
  /** By last activity, newest first. */
  readonly conversations: readonly Conversation[];
  /** Continues the list; empty on the last page. */
  readonly cursor: string;
}

export interface HistoryPage {
  /** Ascending, whichever direction was asked for. */
  readonly messages: readonly Message[];
  /** There is more in the direction asked for. */
  readonly more: boolean;
  readonly headSeq: number;
  readonly firstSeq: number;
}

export interface ReadPosition {
  readonly conversation: string;
  readonly readSeq: number;
  readonly unread: number;
}

export interface Group {
  readonly id: string;
  /** The name of its conversation. */
  readonly conversation: string;
  readonly name: string;
  readonly owner: string;
  readonly memberCount: number;
  readonly createdTime: number;
}

export interface GroupMember {
  readonly userId: string;
  readonly role: "owner" | "member";
  readonly joinedTime: number;
}

export interface GroupMemberPage {
  readonly members: readonly GroupMember[];
  readonly cursor: string;
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
  /** The user's read position moved, on whichever device. */
  read: ReadPosition;
  /** A row of the conversation list is new or changed otherwise than by a message. */
  conversation: Conversation;
  /** Messages that `message` won't bring. */
  skipped: Skipped;
  /** What was cached of the conversation list is void; `epochChanged`: of messages, too. */
  reset: { readonly epochChanged: boolean };
  /** A sync is complete: the conversation list is up to date. */
  synced: undefined;
  /** The connection ended and won't come back by itself. */
  closed: AnserError | undefined;
}
