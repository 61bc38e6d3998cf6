/** Groups as an application sees them. */
import type { JsonObject } from "./created-types.js";

/** How users who are not invited come into a group. */
export type JoinMode = "approval" | "public" | "closed";

/** Owner, admin, or member; members may have one of the group's own roles besides. */
export type GroupRole = "owner" | "admin" | "member";

/** What one of a group's own roles may allow. */
export type GroupRight =
  | "invite"
  | "remove"
  | "approve"
  | "mute"
  | "ban"
  | "update"
  | "update_members"
  | "recall"
  | "speak";

/** A role that a group has defined for itself; at most 16. */
export interface DefinedRole {
  /** 1–64 bytes. */
  readonly name: string;
  readonly rights: readonly GroupRight[];
}

export interface GroupSettings {
  readonly join: JoinMode;
  /** Who is added by a member is invited, and is in once they accept. */
  readonly invitationsNeedAcceptance: boolean;
  /** Only those with the right `invite` add others; else every member may. */
  readonly onlyAdminsInvite: boolean;
  /** All are muted, but for the owner, admins, those exempt, and those with the right `speak`. */
  readonly muted: boolean;
  /** New members may read what was written before they came. */
  readonly historyVisible: boolean;
}

export interface Group {
  readonly id: string;
  /** The name of its conversation. */
  readonly conversation: string;
  readonly name: string;
  readonly owner: string;
  readonly admins: readonly string[];
  readonly memberCount: number;
  /** Unix milliseconds. */
  readonly createdTime: number;
  readonly announcement: string;
  /** The address of a picture. */
  readonly portrait: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly settings: GroupSettings;
  /** What the group has defined besides owner, admin and member. */
  readonly roles: readonly DefinedRole[];
}

/** What `updateGroup` changes; what is absent stays. */
export interface GroupUpdate {
  /** At most 128 bytes. */
  name?: string;
  /** At most 4,096 bytes. */
  announcement?: string;
  /** At most 1,024 bytes. */
  portrait?: string;
  /** At most 64 keys of 1–64 bytes, 16 KiB together. */
  putAttributes?: Readonly<Record<string, string>>;
  removeAttributes?: readonly string[];
  /** The settings are for the owner and the admins. */
  join?: JoinMode;
  invitationsNeedAcceptance?: boolean;
  onlyAdminsInvite?: boolean;
  muted?: boolean;
  historyVisible?: boolean;
}

/** What `updateGroupMember` changes; what is absent stays. */
export interface GroupMemberUpdate {
  /** Oneself unless told. */
  user?: string;
  /** At most 128 bytes. */
  nickname?: string;
  /** At most 16 keys of 1–64 bytes, 1 KiB together. */
  putAttributes?: Readonly<Record<string, string>>;
  removeAttributes?: readonly string[];
}

export interface GroupMember {
  readonly userId: string;
  readonly role: GroupRole;
  /** One of the group's own roles; empty: none. */
  readonly roleName: string;
  readonly nickname: string;
  readonly attributes: Readonly<Record<string, string>>;
  readonly joinedTime: number;
  /** Unix milliseconds; 0: not muted. */
  readonly mutedUntil: number;
  /** From the mute of all. */
  readonly exempt: boolean;
}

export interface GroupMemberPage {
  readonly members: readonly GroupMember[];
  readonly cursor: string;
}

/** A user outside of a group: banned, asking to be let in, or invited. */
export interface GroupUser {
  readonly userId: string;
  readonly time: number;
  /** Who banned or invited; empty: the server API. */
  readonly operator: string;
  /** Until when the ban, the request or the invitation is good. */
  readonly until: number;
  /** Of a request. */
  readonly message: string;
}

export interface GroupUserPage {
  /** By id. */
  readonly users: readonly GroupUser[];
  readonly cursor: string;
}

export interface GroupJoined {
  /** Is the user in it now? Else the request waits for an answer, for 7 days. */
  readonly joined: boolean;
  /** Present if so. */
  readonly group: Group | undefined;
}

/** Of a conversation that is a group the user was invited to. It lives for 7 days. */
export interface GroupInvitation {
  /** Who invited. */
  readonly operator: string;
  readonly time: number;
}

/** A user asks to be let in, or was rejected. */
export interface JoinRequest {
  readonly groupId: string;
  readonly userId: string;
  readonly time: number;
  readonly message: string;
  /** Who rejected it, an empty name for the server API; absent while it waits. */
  readonly rejectedBy: string | undefined;
}

interface Notice<Kind extends string> {
  readonly kind: Kind;
  /** Who did it; empty: the server API. */
  readonly operator: string;
  /** To whom: at most 100 are named. */
  readonly users: readonly string[];
  /** How many there were. */
  readonly userCount: number;
}

/** What happened to a group: the body of a message of type `anser.group`. */
export type GroupNotice =
  | Notice<"created" | "added" | "removed" | "quit" | "dismissed" | "joined" | "invited">
  | Notice<"declined" | "unknown">
  /** `users` has the new owner. */
  | Notice<"transferred">
  | (Notice<"updated"> & {
      /** The names of the fields; `attributes.<key>` for one of those. At most 100. */
      readonly changed: readonly string[];
      /** As they are now, if they are among `changed`. */
      readonly name: string;
      readonly announcement: string;
      readonly portrait: string;
      /** Of a created conversation: attributes that changed, by path; null: gone. */
      readonly nestedAttributes: JsonObject;
    })
  | (Notice<"role-set"> & { readonly role: GroupRole; readonly roleName: string })
  /** The role has other rights, or is gone. */
  | (Notice<"role-defined"> & { readonly roleName: string })
  | (Notice<"member-updated"> & {
      readonly changed: readonly string[];
      readonly nickname: string;
    })
  /** Until then, Unix milliseconds; 0: no longer. */
  | (Notice<"muted" | "banned"> & { readonly until: number })
  | (Notice<"exempted"> & { readonly exempt: boolean });
