/** Other people, as an application sees them: whom a user hears, and who is there. */
import type { Platform } from "./types.js";

/** `blocked`: they write to the user no more. `allowed`: they may write even when only they may. */
export type RelationList = "blocked" | "allowed";

/** What `updateRelations` changes; at most 100 users at a time. What is absent stays. */
export interface RelationUpdate {
  add?: readonly string[];
  remove?: readonly string[];
  /** Do only those on the allow list write to the user? Takes effect within seconds. */
  allowOnly?: boolean;
}

export interface RelationPage {
  /** By id. */
  readonly users: readonly string[];
  /** Continues the list; empty on the last page. */
  readonly cursor: string;
  readonly allowOnly: boolean;
  /** Of both lists; grows with each change. */
  readonly version: number;
}

/** One of the user's lists changed, on whichever device. */
export interface RelationChange {
  readonly list: RelationList;
  readonly added: readonly string[];
  readonly removed: readonly string[];
  readonly allowOnly: boolean;
  readonly version: number;
  /** If this is not the version that the application has, it missed a change: `relations`. */
  readonly previous: number;
}

/** Who is there: the newest replaces what was told before. */
export interface Presence {
  readonly user: string;
  /** Is any device connected? */
  readonly online: boolean;
  /** Unix milliseconds when a device came or went last; 0: never, as far as is known. */
  readonly lastSeen: number;
  /** At most 16, those connected first. */
  readonly devices: readonly DevicePresence[];
  /** The user's own words; empty if there are none. */
  readonly status: string;
  /** When they are over, without an event; 0 without them. */
  readonly statusUntil: number;
}

export interface DevicePresence {
  readonly deviceId: string;
  /** `undefined`: a kind of device younger than this client. */
  readonly platform: Platform | undefined;
  readonly online: boolean;
  /** Since when it is as it is, Unix milliseconds. */
  readonly time: number;
}

export interface PresenceSubscription {
  readonly user: string;
  /** Unix milliseconds. */
  readonly until: number;
}
