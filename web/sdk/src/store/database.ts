/**
 * What a client keeps on the device, and what a place to keep it must offer.
 *
 * A `Database` belongs to one user. Changes are written all or nothing, in the order of the calls;
 * the client holds the state that screens show, and writes behind it, so that what is stored is
 * always some earlier moment of the same story, from which the server is asked for the rest.
 * Reading is for what a client does not hold: older messages and search.
 *
 * Stored forms are fields that are only ever added. What an older version did not write reads as
 * its empty value; see `storedMessage`. Two implementations, one suite of tests: `memory.ts` and
 * `indexed.ts`.
 */
import type { Content, Conversation, Mention, Message } from "../types.js";
import { makeMessage } from "../wire.js";

/** Messages that one query gives at most, and unless told. */
export const QUERY_LIMIT_MAX = 500;
export const QUERY_LIMIT = 50;

/** How far the conversation list was synced. Numbers of 64 bits as decimal text. */
export interface SavedFeed {
  readonly userId: string;
  readonly epoch: string;
  readonly feedVersion: string;
  readonly syncedTime: string;
}

/** How far a conversation is known. All three only rise. */
export interface SavedPosition {
  readonly conversation: string;
  /** Everything that the user may see up to here was delivered or skipped. */
  readonly position: number;
  /** Changes of messages up to here are in the stored messages. */
  readonly rev: number;
  /** Own deletions up to here are, too. */
  readonly deletedVersion: number;
}

/** A message of the user's own that the server has not confirmed. */
export interface SavedOutgoing {
  readonly conversation: string;
  readonly clientMessageId: string;
  readonly content: Content;
  readonly readUpTo: number;
  readonly mention: Mention | undefined;
  readonly targets: readonly string[];
  readonly uncounted: boolean;
  readonly receiptWanted: boolean;
  readonly burnAfterSeconds: number;
  /** They go out in ascending order. */
  readonly order: number;
  /** The client (a tab) that sends it; see `tabs.ts`. */
  readonly holder: string;
  /** Unix milliseconds when the user sent it, by this device's clock. */
  readonly createdTime: number;
  /** Unix milliseconds of the first transmission, by the server's clock. */
  readonly firstTry: number | undefined;
  /** Why it is not sent any more unless the user asks for it. */
  readonly failed: { readonly code: number; readonly name: string } | undefined;
}

export interface Draft {
  readonly conversation: string;
  readonly text: string;
  /** Unix milliseconds by this device's clock. */
  readonly time: number;
}

/** An upload that is not finished: how far it is, the server knows. */
export interface SavedUpload {
  /** What makes it the same file; see `media.ts`. */
  readonly key: string;
  /** The id that the file will have. */
  readonly media: string;
  readonly name: string;
  readonly bytes: number;
  /** Unix milliseconds by this device's clock. */
  readonly createdTime: number;
}

/** Everything that a client starts from. */
export interface Loaded {
  readonly feed: SavedFeed | undefined;
  readonly conversations: readonly Conversation[];
  readonly positions: readonly SavedPosition[];
  /** In their order, of all holders. */
  readonly outgoing: readonly SavedOutgoing[];
  readonly drafts: readonly Draft[];
  readonly uploads: readonly SavedUpload[];
}

export type Change = Put | Removal;

export type Put =
  | { readonly put: "feed"; readonly feed: SavedFeed }
  | { readonly put: "conversation"; readonly row: Conversation }
  | { readonly put: "position"; readonly position: SavedPosition }
  /** Of two states of a message, the later one stays. */
  | { readonly put: "message"; readonly message: Message }
  /** The later state of a message, if it is stored: it may have been deleted, or never been here. */
  | { readonly put: "changed"; readonly message: Message }
  /** Every message between, both included, that the user may see is stored. */
  | {
      readonly put: "range";
      readonly conversation: string;
      readonly from: number;
      readonly to: number;
    }
  | { readonly put: "outgoing"; readonly outgoing: SavedOutgoing }
  | { readonly put: "draft"; readonly draft: Draft }
  | { readonly put: "upload"; readonly upload: SavedUpload };

export type Removal =
  | {
      readonly remove: "outgoing";
      readonly conversation: string;
      readonly clientMessageId: string;
    }
  | { readonly remove: "draft"; readonly conversation: string }
  | { readonly remove: "upload"; readonly key: string }
  | {
      readonly remove: "messages";
      readonly conversation: string;
      readonly seqs: readonly number[];
    }
  /** Messages below a sequence; the user may not read them any more. */
  | { readonly remove: "older"; readonly conversation: string; readonly below: number }
  /** Messages and ranges of a conversation: too much changed while nobody looked. */
  | { readonly remove: "history"; readonly conversation: string }
  /** The conversation list, which is made anew. */
  | { readonly remove: "list" }
  /** Everything but drafts, uploads and what is outgoing: the server's data is another one. */
  | { readonly remove: "synced" }
  /** Everything: another user. */
  | { readonly remove: "all" };

/** Which messages of a conversation; all conditions hold together. */
export interface MessageQuery {
  readonly conversation: string;
  /** Only above, or below, this sequence. */
  readonly after?: number;
  readonly before?: number;
  /** Only of this time and later, or of before this time, in Unix milliseconds. */
  readonly since?: number;
  readonly until?: number;
  /** Only of these types of content. */
  readonly types?: readonly string[];
  /** From which end the limit counts: the newest of them unless told. */
  readonly from?: "newest" | "oldest";
  /** 1–500; 50 unless told. */
  readonly limit?: number;
}

export interface SearchQuery {
  /** Words and runs of Chinese, Japanese or Korean characters; all of them must occur. */
  readonly text: string;
  readonly conversation?: string;
  readonly sender?: string;
  readonly since?: number;
  readonly until?: number;
  /** 1–500; 50 unless told. */
  readonly limit?: number;
}

export interface SearchPage {
  /** Newest first. */
  readonly messages: readonly Message[];
  /** There may be more: ask again with `until`, or more narrowly. */
  readonly more: boolean;
}

/** Stored messages below a sequence, without a hole. */
export interface Stretch {
  /** Ascending. */
  readonly messages: readonly Message[];
  /** Nothing that the user may see is missing from here on. */
  readonly from: number;
}

export interface Database {
  /** A database that keeps nothing beyond this object answers at once, and needs no waiting for. */
  load(): Promise<Loaded> | Loaded;
  write(changes: readonly Change[]): Promise<void> | undefined;
  /** Ascending, whichever end the limit counts from. */
  messages(query: MessageQuery): Promise<readonly Message[]>;
  /** By the id that the server gave. */
  message(id: string): Promise<Message | undefined>;
  bySeq(conversation: string, seqs: readonly number[]): Promise<readonly Message[]>;
  /** The newest messages below `before`, or of all, that connect; `undefined`: there are none. */
  stretch(
    conversation: string,
    before: number | undefined,
    limit: number,
  ): Promise<Stretch | undefined>;
  search(query: SearchQuery): Promise<SearchPage>;
  /** What `from` was to send is `to`'s now, in one step; returns it in its order. */
  adopt(from: string, to: string): Promise<readonly SavedOutgoing[]>;
  close(): void;
}

export const NOTHING: Loaded = {
  feed: undefined,
  conversations: [],
  positions: [],
  outgoing: [],
  drafts: [],
  uploads: [],
};

/** A message as it is stored: without what follows from the content. */
export type StoredMessage = Omit<Message, "text" | "notice">;

export function toStored({ text: _text, notice: _notice, ...stored }: Message): StoredMessage {
  return stored;
}

/** Reads what any earlier version stored. */
export function storedMessage(stored: Partial<StoredMessage>): Message {
  const whole = { ...EMPTY_MESSAGE, ...stored };
  const state = whole.state && { ...EMPTY_STATE, ...whole.state };
  return makeMessage({ ...whole, state }, whole.content);
}

export function storedConversation(stored: Partial<Conversation>): Conversation {
  const newest = stored.newest && storedMessage(stored.newest);
  return { ...EMPTY_CONVERSATION, ...stored, newest };
}

export function storedPosition(stored: Partial<SavedPosition>): SavedPosition {
  return { conversation: "", position: 0, rev: 0, deletedVersion: 0, ...stored };
}

export function storedOutgoing(stored: Partial<SavedOutgoing>): SavedOutgoing {
  return { ...EMPTY_OUTGOING, ...stored };
}

export function limitOf(limit: number | undefined): number {
  return Math.min(Math.max(Math.floor(limit ?? QUERY_LIMIT), 1), QUERY_LIMIT_MAX);
}

export function revOf(message: Pick<Message, "state">): number {
  return message.state?.rev ?? 0;
}

const EMPTY_STATE = {
  rev: 0,
  time: 0,
  recall: undefined,
  edit: undefined,
  expansion: [],
  reactions: [],
};

const EMPTY_MESSAGE: StoredMessage = {
  conversation: "",
  seq: 0,
  id: "",
  sender: "",
  clientMessageId: "",
  time: 0,
  content: { type: "", body: new Uint8Array() },
  counted: false,
  mention: undefined,
  targets: [],
  burnAfterSeconds: 0,
  receiptWanted: false,
  state: undefined,
};

export const EMPTY_CONVERSATION: Conversation = {
  id: "",
  name: "",
  headSeq: 0,
  newest: undefined,
  lastTime: 0,
  unread: 0,
  unreadMentions: 0,
  readSeq: 0,
  firstSeq: 1,
  rev: 0,
  deletedVersion: 0,
  member: true,
  invitation: undefined,
  pinned: false,
  muted: "none",
  hidden: false,
  marks: [],
  draft: "",
};

const EMPTY_OUTGOING: SavedOutgoing = {
  conversation: "",
  clientMessageId: "",
  content: { type: "", body: new Uint8Array() },
  readUpTo: 0,
  mention: undefined,
  targets: [],
  uncounted: false,
  receiptWanted: false,
  burnAfterSeconds: 0,
  order: 0,
  holder: "",
  createdTime: 0,
  firstTry: undefined,
  failed: undefined,
};
