/** Steps in chat rooms, and what is looked at of them. */
import { isDeepStrictEqual } from "node:util";

import type { RoomModeration, RoomNotice } from "../sdk/src/index.js";
import type { Names } from "./actors.js";
import { RoomHeard, shown } from "./room-heard.js";
import type { Args } from "./scenarios.js";
import { type Command, HOUR, type Look, part } from "./stage.js";

/** The one thing that is named. */
function moderation(args: Args, names: Names): RoomModeration {
  const { unmute, lift_ban, mute_all, seconds } = args;
  const remove = args.remove as readonly string[] | undefined;
  const mute = args.mute as readonly string[] | undefined;
  if (remove) return { remove: names.users(remove), seconds: seconds ?? 0 };
  if (mute) return { mute: names.users(mute), seconds: seconds ?? HOUR };
  if (unmute) return { unmute: names.users(unmute) };
  if (lift_ban) return { liftBan: names.users(lift_ban) };
  if (mute_all === undefined) throw new Error("it does nothing");
  return { muteAll: mute_all };
}

export const ROOMS: Record<string, Command> = {
  async join_room({ names }, { room, newest, messages }, { client, rooms }) {
    const name = names.user(room);
    const heard = new RoomHeard();
    rooms.set(name, heard);
    const joined = await client.joinRoom(name, { ...(newest !== undefined && { newest }) });
    heard.given(joined.messages);
    const texts = joined.messages.map(shown);
    if (messages && !isDeepStrictEqual(texts, messages)) {
      throw new Error(`joining gave ${JSON.stringify(texts)}`);
    }
  },
  leave_room: ({ names }, { room }, { client }) => client.leaveRoom(names.user(room)),
  async say({ names }, { room, text = "", low, tell_dropped, dropped }, { client }) {
    const sent = await client.sendToRoom(names.user(room), text, {
      priority: low ? "low" : "high",
      tellDropped: tell_dropped ?? false,
    });
    if (dropped !== undefined && sent.dropped !== dropped) {
      throw new Error(`dropped: ${sent.dropped}`);
    }
  },
  async recall_said({ names }, { room, text = "" }, { client, rooms }) {
    const name = names.user(room);
    const id = rooms.get(name)?.idOf(text);
    if (id === undefined) throw new Error(`"${text}" was not heard yet`);
    await client.recallRoomMessage(name, id);
  },
  room_attributes({ names }, args, { client }) {
    const { set = {}, leaves = false, force = false } = args;
    const changes = [
      ...Object.entries(set).map(([key, value]) => ({ key, value, leaves })),
      ...(args.delete ?? []).map((key) => ({ key })),
    ];
    return client.setRoomAttributes(names.user(args.room), changes, { force });
  },
  moderate: ({ names }, args, { client }) =>
    client.moderateRoom(names.user(args.room), moderation(args, names), args.words),
};

/** A notice in one line. */
function told({ kind, users, operator, extra }: RoomNotice, names: Names): string {
  const whom = users.map((user) => names.plain(user)).join(", ");
  const who = operator === "" ? "backend" : names.plain(operator);
  return [kind.replaceAll("-", "_"), ...(whom ? [whom] : []), "by", who].join(" ") + words(extra);
}

function words(extra: string): string {
  return extra && `: ${extra}`;
}

export const ROOM_LOOKS: Record<string, Look> = {
  expect_heard: async ({ names }, { room, messages }, { rooms }) => [
    rooms.get(names.user(room))?.texts ?? null,
    messages,
  ],
  async expect_room_attributes({ names }, { room, attributes = {} }, { rooms }) {
    const sorted = (of: object): unknown => Object.fromEntries(Object.entries(of).sort());
    const seen = rooms.get(names.user(room))?.attributes;
    return [seen ? sorted(seen) : null, sorted(attributes)];
  },
  expect_room_notices: async ({ names }, { room, notices }, { rooms }) => [
    rooms.get(names.user(room))?.notices.map((notice) => told(notice, names)) ?? null,
    notices,
  ],
  expect_left_room: async ({ names }, { room, reason }, { rooms }) => [
    rooms.get(names.user(room))?.left ?? null,
    reason,
  ],
  async expect_room({ names }, args, { client }) {
    const room = await client.room(names.user(args.room));
    const moderators = room.moderators.map((user) => names.plain(user));
    return part({ ...room, member_count: room.memberCount, moderators }, args, "room");
  },
  async expect_room_members({ names }, { room, newest_first = false, members }, { client }) {
    const page = await client.roomMembers(names.user(room), { newestFirst: newest_first });
    return [page.members.map(({ user }) => names.plain(user)), members];
  },
  async expect_room_history({ names }, { room, forward = false, messages }, { client }) {
    const page = await client.roomMessages(names.user(room), { forward });
    return [page.messages.map(shown), messages];
  },
};
