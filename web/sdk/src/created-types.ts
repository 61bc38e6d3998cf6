/** Conversations that users create, as an application sees them. */

/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

export interface CreatedConversation {
  /** Its name, `c/<id>` or `t/<id>`, as messages and the list have it. */
  readonly conversation: string;
  readonly name: string;
  /** Who created it, or was handed it over; possibly not in it any more. */
  readonly owner: string;
  readonly memberCount: number;
  /** Unix milliseconds. */
  readonly createdTime: number;
  /** When members, name, attributes or settings changed last. */
  readonly updatedTime: number;
  /** Of the newest message, notices included. */
  readonly lastTime: number;
  /** Nested, the application's own. */
  readonly attributes: JsonObject;
  readonly settings: CreatedSettings;
  readonly managers: readonly string[];
  /** It was created as the one of exactly these members. */
  readonly unique: boolean;
  /** In the answer to `createConversation`: it was there already. */
  readonly reused: boolean;
  /** Of a temporary one: when it ends, by the server's clock, in Unix milliseconds. */
  readonly endTime?: number;
}

export interface CreatedSettings {
  /** Anybody may join who knows the name. */
  readonly public: boolean;
  /** Every member invites, removes plain members, and changes name and attributes. */
  readonly open: boolean;
  /** All are muted, but for the owner, the managers and those exempt. */
  readonly muted: boolean;
  /** New members may read what was written before they came. */
  readonly historyVisible: boolean;
}

/** What `createConversation` takes. */
export interface CreateOptions {
  /** At most 128 bytes. */
  name?: string;
  /** Besides the creator; at most 500 with them. */
  members?: readonly string[];
  /** At most 16 KiB, nested at most 16 levels deep. */
  attributes?: JsonObject;
  public?: boolean;
  /** The one that was created like this for exactly these members, if there is one. */
  unique?: boolean;
  /** It is temporary: at most 50 members, not `unique`, never found, and gone after its time. */
  temporary?: boolean;
  /** So long a temporary one lives, 1–86,400 s; a day if it is not said. */
  seconds?: number;
}

/** What `updateCreatedConversation` changes; what is absent stays. */
export interface CreatedUpdate {
  /** At most 128 bytes. */
  name?: string;
  /** Values by path: the keys from the outside in, with dots between. */
  setAttributes?: Readonly<Record<string, Json>>;
  /** Paths to remove, before anything is set; with those set, at most 100. */
  unsetAttributes?: readonly string[];
  /** The settings are for the owner and the managers. */
  public?: boolean;
  open?: boolean;
  muted?: boolean;
  historyVisible?: boolean;
}

/** One condition: `eq` unless told. The protocol lists fields and operators. */
export interface QueryCondition {
  /** `attributes.<path>`, `members`, `name`, `owner`, `unique`, `created_time`, … */
  readonly field: string;
  readonly op?:
    | "eq"
    | "ne"
    | "lt"
    | "lte"
    | "gt"
    | "gte"
    | "in"
    | "not_in"
    | "exists"
    | "prefix"
    | "contains"
    | "all";
  readonly value: Json;
}

export type QueryFilter =
  | QueryCondition
  | { readonly all: readonly QueryFilter[] }
  | { readonly any: readonly QueryFilter[] }
  | { readonly not: QueryFilter };

/** What `queryConversations` takes. */
export interface QueryOptions {
  /** Everything that the user is in, unless told. */
  filter?: QueryFilter;
  /** Up to 4 fields, `-` before one for the greatest first; the newest activity first unless told. */
  sort?: readonly string[];
  /** So many are passed over; at most 5,000. */
  skip?: number;
  /** 1–100; 20 unless told. */
  limit?: number;
}

export interface ConversationsFound {
  readonly conversations: readonly CreatedConversation[];
  /** How many there are in all. */
  readonly matched: number;
  /** False: there was too much to look at, and not all of it was. */
  readonly complete: boolean;
}
