/** What is shown of a live room, and how news change it: without React, without a client. */
import type { Room, RoomLeft, RoomMessage, RoomNews, RoomNotice } from "@anser-im/sdk";

/** Lines that are kept; who wants more reads along. */
export const LINES_MAX = 200;
/** Keys of the attributes that are seats at a microphone. */
export const SEATS = ["seat1", "seat2", "seat3", "seat4"] as const;

export const GIFT = "demo.gift";
export const LIKE = "demo.like";
export const GIFTS = ["goose", "flower", "lantern"] as const;
export type Gift = (typeof GIFTS)[number];

type Said = { readonly id: string; readonly sender: string; readonly recalled: boolean };

export type LiveLine = { readonly key: number } & (
  | (Said & { readonly kind: "said"; readonly text: string })
  | (Said & { readonly kind: "gift"; readonly gift: Gift })
  | { readonly kind: "notice"; readonly notice: RoomNotice }
  | { readonly kind: "missed"; readonly count: number }
);

export interface LiveState {
  /** `undefined`: not in the room yet. */
  readonly room: Room | undefined;
  readonly lines: readonly LiveLine[];
  readonly nextKey: number;
  readonly attributes: ReadonlyMap<string, string>;
  /** `undefined`: not told since joining. */
  readonly memberCount: number | undefined;
  readonly likes: number;
  /** Only moderators write; `undefined`: as the room said. */
  readonly mutedAll: boolean | undefined;
  /** Who is known to be muted. */
  readonly muted: ReadonlySet<string>;
  /** Who is known to be kept out. */
  readonly banned: ReadonlySet<string>;
  readonly left: RoomLeft | undefined;
}

export const OUTSIDE: LiveState = {
  room: undefined,
  lines: [],
  nextKey: 1,
  attributes: new Map(),
  memberCount: undefined,
  likes: 0,
  mutedAll: undefined,
  muted: new Set(),
  banned: new Set(),
  left: undefined,
};

export type LiveInput =
  | RoomNews
  | {
      readonly kind: "joined";
      readonly me: string;
      readonly room: Room;
      readonly messages: readonly RoomMessage[];
    }
  /** The room as it is now. */
  | { readonly kind: "room"; readonly me: string; readonly room: Room }
  | { readonly kind: "outside" };

type NewLine = LiveLine extends infer L ? (L extends LiveLine ? Omit<L, "key"> : never) : never;

export function giftOf({ content, recalled }: RoomMessage): Gift | undefined {
  if (content.type !== GIFT || recalled) return undefined;
  try {
    const { gift } = JSON.parse(new TextDecoder().decode(content.body)) as { gift?: unknown };
    return GIFTS.find((known) => known === gift);
  } catch {
    return undefined; // anybody may send anything
  }
}

export function live(state: LiveState, input: LiveInput): LiveState {
  switch (input.kind) {
    case "outside":
      return OUTSIDE;
    case "joined":
      return joined(state, input.messages, input.room, input.me);
    case "room":
      return described(state, input.room, input.me);
    case "message":
      return said(state, input.message);
    case "recalled": {
      const lines = state.lines.map((line) =>
        "id" in line && line.id === input.messageId ? { ...line, recalled: true } : line,
      );
      return { ...state, lines };
    }
    case "attributes": {
      const attributes = new Map(state.attributes);
      for (const { key, value } of input.set) attributes.set(key, value);
      for (const key of input.deleted) attributes.delete(key);
      return { ...state, attributes };
    }
    case "all-attributes":
      return {
        ...state,
        attributes: new Map(input.attributes.map(({ key, value }) => [key, value])),
      };
    case "notice":
      return noticed(add(state, { kind: "notice", notice: input.notice }), input.notice);
    case "member-count":
      return { ...state, memberCount: input.memberCount };
    case "missed":
      return add(state, { kind: "missed", count: input.count });
    case "left":
      return { ...state, left: input.left };
  }
}

/** May this user write? */
export function silence(state: LiveState, me: string): "all" | "me" | undefined {
  if (state.room?.moderators.includes(me)) return undefined;
  if (state.muted.has(me)) return "me";
  return (state.mutedAll ?? state.room?.muted) ? "all" : undefined;
}

/** What was heard while joining stands behind what joining gave. */
function joined(
  heard: LiveState,
  messages: readonly RoomMessage[],
  room: Room,
  me: string,
): LiveState {
  let given: LiveState = { ...OUTSIDE, nextKey: heard.nextKey };
  for (const message of messages) given = said(given, message);
  const lines = [...given.lines, ...heard.lines];
  const likes = given.likes + heard.likes;
  const state = { ...heard, lines, likes, nextKey: given.nextKey };
  const memberCount = heard.memberCount ?? room.memberCount;
  return { ...described(state, room, me), memberCount };
}

/** What the room says of itself, and of this user alone. */
function described(state: LiveState, room: Room, me: string): LiveState {
  const others = [...state.muted].filter((user) => user !== me);
  const muted = new Set(room.mutedUntil > 0 ? [...others, me] : others);
  return { ...state, room, memberCount: room.memberCount, mutedAll: undefined, muted };
}

function said(state: LiveState, message: RoomMessage): LiveState {
  const { id, sender, recalled, text, content } = message;
  if (content.type === LIKE) return { ...state, likes: state.likes + 1 };
  const gift = giftOf(message);
  if (gift) return add(state, { kind: "gift", id, sender, recalled, gift });
  // What this page does not know is not shown.
  if (text === undefined && !recalled) return state;
  return add(state, { kind: "said", id, sender, recalled, text: text ?? "" });
}

function noticed(state: LiveState, { kind, users }: RoomNotice): LiveState {
  const changed = (of: ReadonlySet<string>, on: boolean): ReadonlySet<string> =>
    on ? new Set([...of, ...users]) : new Set([...of].filter((user) => !users.includes(user)));
  if (kind === "muted" || kind === "unmuted") {
    return { ...state, muted: changed(state.muted, kind === "muted") };
  }
  if (kind === "banned" || kind === "ban-lifted") {
    return { ...state, banned: changed(state.banned, kind === "banned") };
  }
  if (kind === "all-muted" || kind === "all-unmuted") {
    return { ...state, mutedAll: kind === "all-muted" };
  }
  return state;
}

function add(state: LiveState, line: NewLine): LiveState {
  const lines = [...state.lines, { ...line, key: state.nextKey }].slice(-LINES_MAX);
  return { ...state, lines, nextKey: state.nextKey + 1 };
}
