/** Chat rooms, as an application sees them. */
import type { AnserError } from "./errors.js";
import type { Content } from "./types.js";

export interface Room {
  readonly id: string;
  /** For people. */
  readonly name: string;
  /** Unix milliseconds, as all times here. */
  readonly createdTime: number;
  /** Users who are in it. */
  readonly memberCount: number;
  /** Only moderators and those exempt write. */
  readonly muted: boolean;
  /** Grows with each change of the attributes. */
  readonly attributesVersion: number;
  /** Who moderates; at most 20. */
  readonly moderators: readonly string[];
  /** Are messages kept? `roomMessages` reads them. */
  readonly history: boolean;
  /** Until when this user may not write; 0: may. */
  readonly mutedUntil: number;
}

/** Which messages go first when not all can be delivered: `low` is for likes and the like. */
export type RoomPriority = "high" | "low";

export interface RoomMessage {
  /** 26 characters, unique; sorts by time. */
  readonly id: string;
  /** Empty: the app's backend. */
  readonly sender: string;
  /** Given by the sender. */
  readonly clientMessageId: string;
  /** When the room took it. */
  readonly time: number;
  /** Empty, and of no type, once it is taken back. */
  readonly content: Content;
  /** Of a content of type `text`. */
  readonly text: string | undefined;
  readonly priority: RoomPriority;
  /** It was taken back. */
  readonly recalled: boolean;
}

/** What `sendToRoom` takes beside the message. */
export interface RoomSendOptions {
  /** `high` unless told. */
  priority?: RoomPriority;
  /** Say if it was dropped. */
  tellDropped?: boolean;
  /** 1–64 bytes; chosen unless told. */
  clientMessageId?: string;
}

/** What became of a message. */
export interface RoomSent {
  /** Its place in what happens in the room; 0: it went to nobody. */
  readonly seq: number;
  readonly id: string;
  readonly clientMessageId: string;
  readonly time: number;
  /** The room had taken as many as it takes at a time. Only said with `tellDropped`. */
  readonly dropped: boolean;
}

/** The client is in a room. */
export interface RoomJoined {
  readonly room: Room;
  /** The newest messages, the oldest of them first. */
  readonly messages: readonly RoomMessage[];
}

export interface RoomMember {
  readonly user: string;
  /** Since when. */
  readonly joinedTime: number;
}

export interface RoomMemberPage {
  readonly members: readonly RoomMember[];
  /** Continues the list; empty on the last page. */
  readonly cursor: string;
  /** How many there are in all. */
  readonly memberCount: number;
}

export interface RoomMessagePage {
  /** In the order asked for. */
  readonly messages: readonly RoomMessage[];
  readonly more: boolean;
}

export interface RoomAttribute {
  /** 1–128 of `[A-Za-z0-9+=_-]`. */
  readonly key: string;
  /** At most 4,096 characters. */
  readonly value: string;
  /** Who set it; empty: the app's backend. */
  readonly owner: string;
  /** It goes when its owner leaves the room. */
  readonly leaves: boolean;
}

/** What becomes of a key. */
export interface RoomAttributeChange {
  key: string;
  /** The new value; absent: the key is deleted. */
  value?: string;
  /** It goes when the user leaves the room. */
  leaves?: boolean;
}

/** What a moderator does; at most 20 users at a time. */
export type RoomModeration =
  /** Puts users out, and keeps them out for so many seconds if any. */
  | { readonly remove: readonly string[]; readonly seconds?: number }
  /** Silences users for so many seconds. */
  | { readonly mute: readonly string[]; readonly seconds: number }
  /** They may write again. */
  | { readonly unmute: readonly string[] }
  /** They may come in again. */
  | { readonly liftBan: readonly string[] }
  /** Silences all but moderators and those exempt, or no longer. */
  | { readonly muteAll: boolean };

export type RoomNoticeKind =
  | "muted"
  | "unmuted"
  /** Users were put out, and are kept out. */
  | "banned"
  | "ban-lifted"
  | "all-muted"
  | "all-unmuted"
  | "removed"
  /** The name, or who moderates. */
  | "changed"
  /** Something of a newer server. */
  | "unknown";

/** Something that somebody did to others, as members are told of it. */
export interface RoomNotice {
  readonly kind: RoomNoticeKind;
  /** Who did it; empty: the app's backend. */
  readonly operator: string;
  readonly users: readonly string[];
  /** Until when it holds; 0: it has no end. */
  readonly until: number;
  /** Their words. */
  readonly extra: string;
}

/** Why the client is not in a room any more. */
export type RoomLeft =
  /** Put out by a moderator or the backend; kept out until then, 0: not. */
  | { readonly reason: "removed"; readonly until: number; readonly extra: string }
  /** The room is gone. */
  | { readonly reason: "destroyed" }
  /** It joined another one. */
  | { readonly reason: "joined-another" }
  /** It could not come back into it. */
  | { readonly reason: "refused"; readonly error: AnserError };

/** News of a room that the client is in. */
export type RoomNews =
  /** Somebody said something, perhaps the user. */
  | { readonly kind: "message"; readonly message: RoomMessage }
  /** A message was taken back; by whom, empty: the app's backend. */
  | { readonly kind: "recalled"; readonly messageId: string; readonly operator: string }
  /** Attributes have changed. */
  | {
      readonly kind: "attributes";
      readonly operator: string;
      readonly set: readonly RoomAttribute[];
      readonly deleted: readonly string[];
    }
  /** All there are: a change may have been missed, or the client has just come in. */
  | { readonly kind: "all-attributes"; readonly attributes: readonly RoomAttribute[] }
  | { readonly kind: "notice"; readonly notice: RoomNotice }
  | { readonly kind: "member-count"; readonly memberCount: number }
  /** So many things were missed here, under load or while away; 0: it is not known how many. */
  | { readonly kind: "missed"; readonly count: number }
  /** The client is not in the room any more. */
  | { readonly kind: "left"; readonly left: RoomLeft };

/** Something happened in a room that the client is in. */
export interface RoomEvent {
  readonly room: string;
  readonly news: RoomNews;
}
