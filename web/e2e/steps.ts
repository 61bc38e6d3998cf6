/** What each step of a scenario does, and what each expectation looks at, in the TypeScript SDK. */
import { isDeepStrictEqual } from "node:util";

import { AnserError, type ConversationSettings, type Message } from "../sdk/src/index.js";
import { Actor, type Names } from "./actors.js";
import type { Args, Shown } from "./scenarios.js";
import { type Command, HOUR, type Look, type Stage, named, part } from "./stage.js";
import { APPS } from "./steps-apps.js";
import { CREATED, CREATED_LOOKS } from "./steps-created.js";
import { LOCAL, localLooks } from "./steps-local.js";
import { MEDIA, MEDIA_LOOKS } from "./steps-media.js";
import { PEOPLE, PEOPLE_LOOKS } from "./steps-people.js";
import { SYSTEM, SYSTEM_LOOKS } from "./steps-system.js";
import { ROOMS, ROOM_LOOKS } from "./steps-rooms.js";

/** Texts of one that is sent once, or of several. */
function texts({ text = "", times, bytes }: Args): string[] {
  if (bytes !== undefined) return ["x".repeat(bytes)];
  if (times === undefined) return [text];
  return Array.from({ length: times }, (_, i) => `${text}${i + 1}`);
}

function mentionOf({ mention, overrides_mute }: Args, names: Names) {
  if (mention === undefined) return undefined;
  const who = mention === "all" ? { all: true } : { users: names.users(mention) };
  return { ...who, ...(overrides_mute !== undefined && { overridesMute: overrides_mute }) };
}

const MESSAGES: Record<string, Command> = {
  async send({ names }, args, { client }) {
    const { to, type = "text", body, id, seq } = args;
    const mention = mentionOf(args, names);
    for (const text of texts(args)) {
      const sent = await client.send(
        names.conversation(to),
        { type, body: named(body, names) ?? text },
        {
          ...(mention && { mention }),
          ...(args.targets && { targets: names.users(args.targets) }),
          ...(args.uncounted && { uncounted: true }),
          ...(args.burn_after && { burnAfterSeconds: args.burn_after }),
          ...(args.receipt_wanted && { receiptWanted: true }),
          ...(args.read_up_to && { readUpTo: args.read_up_to }),
          ...(id && { clientMessageId: id }),
        },
      );
      if (seq !== undefined && sent.seq !== seq) throw new Error(`it is number ${sent.seq}`);
    }
  },
  transient: ({ names }, { to, type = "", body = "" }, { client }) =>
    client.sendTransient(names.conversation(to), { type, body }),
  will: ({ names }, { to, text = "" }, { client }) => client.setWill(names.conversation(to), text),
  recall: ({ names }, { in: at, seq }, { client }) => client.recall(names.conversation(at), seq),
  async edit({ names }, args, { client }) {
    const { in: at, seq, type = "text" } = args;
    const mention = mentionOf(args, names);
    for (const body of texts(args)) {
      await client.edit(names.conversation(at), seq, { type, body }, mention);
    }
  },
  expand: ({ names }, { in: at, seq, put, remove }, { client }) =>
    client.updateExpansion(names.conversation(at), seq, {
      ...(put && { put }),
      ...(remove !== undefined && { remove: remove as string[] }),
    }),
  react: ({ names }, { in: at, seq, reaction, remove }, { client }) =>
    client.react(names.conversation(at), seq, reaction, { remove: remove === true }),
};

const OWN_VIEW: Record<string, Command> = {
  read: ({ names }, { in: at, seq }, { client }) => client.markRead(names.conversation(at), seq),
  deliver: ({ names }, { in: at, seq }, { client }) =>
    client.markDelivered(names.conversation(at), seq),
  acknowledge: ({ names }, { in: at, seqs }, { client }) =>
    client.acknowledge(names.conversation(at), seqs),
  delete: ({ names }, { in: at, seqs }, { client }) =>
    client.deleteMessages(names.conversation(at), seqs),
  clear: ({ names }, { in: at, up_to }, { client }) =>
    client.clearHistory(names.conversation(at), up_to),
  settings: ({ names }, { by: _, in: at, refused: __, ...settings }, { client }) =>
    client.updateConversation(names.conversation(at), settings as ConversationSettings),
  delete_conversation: ({ names }, { in: at, with_history = false }, { client }) =>
    client.deleteConversation(names.conversation(at), { withHistory: with_history }),
};

const GROUPS: Record<string, Command> = {
  create_group: ({ names }, { group, name = group, members = [] }, { client }) =>
    client.createGroup({ id: names.user(group), name, members: names.users(members) }),
  add_members: ({ names }, { group, members }, { client }) =>
    client.addGroupMembers(names.user(group), names.users(members)),
  remove_members: ({ names }, { group, members }, { client }) =>
    client.removeGroupMembers(names.user(group), names.users(members)),
  quit_group: ({ names }, { group }, { client }) => client.quitGroup(names.user(group)),
  dismiss_group: ({ names }, { group }, { client }) => client.dismissGroup(names.user(group)),
  update_group({ names }, args, { client }) {
    const { name, announcement, portrait, join, muted, put, remove } = args;
    const needs = args.invitations_need_acceptance;
    const only = args.only_admins_invite;
    return client.updateGroup(names.user(args.group), {
      ...(name !== undefined && { name }),
      ...(announcement !== undefined && { announcement }),
      ...(portrait !== undefined && { portrait }),
      ...(put && { putAttributes: put }),
      ...(remove !== undefined && { removeAttributes: remove as string[] }),
      ...(join && join !== true && { join }),
      ...(typeof muted === "boolean" && { muted }),
      ...(needs !== undefined && { invitationsNeedAcceptance: needs }),
      ...(only !== undefined && { onlyAdminsInvite: only }),
      ...(args.history_visible !== undefined && { historyVisible: args.history_visible }),
    });
  },
  transfer_group: ({ names }, { group, owner }, { client }) =>
    client.transferGroup(names.user(group), names.user(owner)),
  set_role({ names }, { group, members, role }, { client }) {
    const given = role === "admin" || role === "member" ? role : { name: role };
    return client.setGroupRole(names.user(group), names.users(members), given);
  },
  define_role: ({ names }, { group, role, rights }, { client }) =>
    rights
      ? client.defineGroupRole(names.user(group), role, rights)
      : client.removeGroupRole(names.user(group), role),
  update_member: ({ names }, { group, user, nickname, put, remove }, { client }) =>
    client.updateGroupMember(names.user(group), {
      ...(user && { user: names.user(user) }),
      ...(nickname !== undefined && { nickname }),
      ...(put && { putAttributes: put }),
      ...(remove !== undefined && { removeAttributes: remove as string[] }),
    }),
  mute_members: ({ names }, { group, members, lift, seconds = HOUR }, { client }) =>
    client.muteGroupMembers(names.user(group), names.users(members), lift ? 0 : seconds),
  exempt_members: ({ names }, { group, members, lift = false }, { client }) =>
    client.exemptGroupMembers(names.user(group), names.users(members), !lift),
  ban_users: ({ names }, { group, users, lift }, { client }) =>
    client.banGroupUsers(names.user(group), names.users(users), lift ? 0 : HOUR),
  async join_group({ names }, { group, message, joined }, { client }) {
    const answer = await client.joinGroup(names.user(group), message);
    if (answer.joined !== joined) throw new Error(`joined: ${answer.joined}`);
  },
  decide_requests: ({ names }, { group, users, approve }, { client }) =>
    client.decideJoinRequests(names.user(group), names.users(users), approve),
  answer_invitation: ({ names }, { group, accept }, { client }) =>
    accept
      ? client.acceptGroupInvitation(names.user(group))
      : client.declineGroupInvitation(names.user(group)),
};

const COMMANDS: Record<string, Command> = {
  ...MESSAGES,
  ...OWN_VIEW,
  ...GROUPS,
  ...CREATED,
  ...MEDIA,
  ...PEOPLE,
  ...SYSTEM,
  ...LOCAL,
  ...ROOMS,
  logout: (_stage, _args, { client }) => client.logout(),
};

/** A message in the words of scenarios. */
function view(message: Message, names: Names): Record<string, unknown> {
  const { seq, sender, content, text, notice, mention, targets, state } = message;
  const sorted = (users: readonly string[]) => users.map((user) => names.plain(user)).sort();
  return {
    seq,
    sender: names.plain(sender),
    text: state?.recall
      ? "(recalled)"
      : notice
        ? `[${notice.kind}]`
        : (text ?? `<${content.type}>`),
    type: content.type,
    recalled_by: state?.recall && names.plain(state.recall.operator),
    edits: state?.edit?.count ?? 0,
    reactions: Object.fromEntries(
      (state?.reactions ?? []).map(({ reaction, users }) => [reaction, sorted(users)]),
    ),
    expansion: Object.fromEntries((state?.expansion ?? []).map(({ key, value }) => [key, value])),
    mentions: mention?.all ? "all" : sorted(mention?.users ?? []),
    targets: sorted(targets),
    notice: notice?.kind,
    users: sorted(notice?.users ?? []),
  };
}

/** Messages as far as they are wanted to be something. */
function compare(
  messages: readonly Message[],
  wanted: readonly Shown[],
  names: Names,
): [unknown, unknown] {
  const seen = messages.map((message, i) => {
    const all = view(message, names);
    const want = wanted[i];
    if (want === undefined || typeof want === "string") return all.text;
    return Object.fromEntries(Object.keys(want).map((key) => [key, all[key]]));
  });
  return [seen, wanted];
}

const LOOKS: Record<string, Look> = {
  ...CREATED_LOOKS,
  ...MEDIA_LOOKS,
  ...PEOPLE_LOOKS,
  ...SYSTEM_LOOKS,
  ...localLooks(compare),
  ...ROOM_LOOKS,
  async expect_timeline({ names }, { in: at, messages }, actor) {
    const snapshot = actor.timeline(names.conversation(at)).getSnapshot();
    const [seen, wanted] = compare(snapshot.messages, messages, names);
    return snapshot.loaded ? [seen, wanted] : ["not loaded", wanted];
  },
  async expect_history({ names }, { in: at, messages, before, after, limit }, { client }) {
    const page = await client.history(names.conversation(at), {
      ...(before !== undefined && { before }),
      ...(after !== undefined && { after }),
      ...(limit !== undefined && { limit }),
    });
    return compare(page.messages, messages, names);
  },
  async expect_received({ names }, { in: at, messages }, { received }) {
    const conversation = names.conversation(at);
    const here = received.filter((message) => message.conversation === conversation);
    return compare(here, messages, names);
  },
  async expect_unread({ names }, args, { client }) {
    const row = client.list.get(names.conversation(args.in));
    return part({ unread: row?.unread, mentions: row?.unreadMentions }, args, "in");
  },
  expect_total: async (_stage, { unread }, { client }) => [client.list.unread, unread],
  async expect_list({ names }, { conversations }, { client }) {
    const rows = client.list.getSnapshot().filter(({ member, invitation }) => member || invitation);
    return [rows.map(({ id }) => names.plain(id)), conversations];
  },
  async expect_conversation({ names }, args, { client }) {
    const row = client.list.get(names.conversation(args.in));
    const seen = row && {
      ...row,
      newest: row.newest && view(row.newest, names).text,
      invited_by: row.invitation && names.plain(row.invitation.operator),
      read_seq: row.readSeq,
      first_seq: row.firstSeq,
    };
    return part(seen ?? {}, args, "in");
  },
  async expect_transient({ names }, { in: at, types }, { transient }) {
    const conversation = names.conversation(at);
    const here = transient.filter((message) => message.conversation === conversation);
    return [here.map(({ content }) => content.type), types];
  },
  async expect_mentions({ names }, { in: at, seqs }, { client }) {
    const messages = await client.mentions(names.conversation(at));
    return [messages.map(({ seq }) => seq), seqs];
  },
  async expect_position({ names }, args, { positions }) {
    const key = `${names.conversation(args.in)} ${names.user(args.user)}`;
    return part({ ...positions.get(key) }, args, "in", "user");
  },
  async expect_acknowledged({ names }, { in: at, seq, users }, { acknowledged }) {
    const start = `${names.conversation(at)} ${seq} `;
    const told = acknowledged.filter((one) => one.startsWith(start));
    return [told.map((one) => names.plain(one.slice(start.length))).sort(), users];
  },
  async expect_readers({ names }, { in: at, seq, users, of, acknowledged = false }, { client }) {
    const page = await client.readers(names.conversation(at), seq, { acknowledged });
    const seen = page.users.map((user) => names.plain(user)).sort();
    return [
      [seen, page.count, page.of],
      [users, users.length, of],
    ];
  },
  async expect_group({ names }, args, { client }) {
    const group = await client.getGroup(names.user(args.group));
    const seen = {
      ...group,
      owner: names.plain(group.owner),
      admins: group.admins.map((user) => names.plain(user)),
      members: group.memberCount,
      join: group.settings.join,
      muted: group.settings.muted,
    };
    return part(seen, args, "group");
  },
  async expect_members({ names }, { group, members }, { client }) {
    const page = await client.groupMembers(names.user(group));
    const seen = page.members.map(({ userId, role, roleName, nickname }) => [
      names.plain(userId),
      (roleName || role) + (nickname && ` (${nickname})`),
    ]);
    return [Object.fromEntries(seen), members];
  },
  async expect_requests({ names }, { group, users }, { client }) {
    const page = await client.joinRequests(names.user(group));
    return [page.users.map(({ userId }) => names.plain(userId)), users];
  },
  async expect_invited({ names }, { group, users }, { client }) {
    const page = await client.groupInvitations(names.user(group));
    return [page.users.map(({ userId }) => names.plain(userId)), users];
  },
  async expect_banned({ names }, { group, users }, { client }) {
    const page = await client.groupBans(names.user(group));
    return [page.users.map(({ userId }) => names.plain(userId)), users];
  },
  expect_join_request: async (_stage, { group, told }, { joinRequests }) => [
    joinRequests
      .filter((one) => one.startsWith(`${group} `))
      .map((one) => one.split(" ").slice(1).join(" ")),
    told,
  ],
};

/** How long an expectation may take to hold, in milliseconds. */
const PATIENCE_MS = 30_000;

async function expectThat(stage: Stage, name: string, args: Args, look: Look): Promise<void> {
  const devices = typeof args.on === "string" ? [args.on] : args.on;
  for (const device of devices) {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      const [seen, wanted] = await look(stage, args, stage.actor(device));
      // What is undefined is absent, and the order of keys says nothing.
      const [is, should] = [JSON.stringify(seen), JSON.stringify(wanted)];
      if (isDeepStrictEqual(JSON.parse(is), JSON.parse(should))) break;
      if (Date.now() > deadline) throw new Error(`${name} on ${device}: ${is} is not ${should}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** A new conversation is in a user's list a moment after its first message. */
async function onceListed(run: () => Promise<unknown>): Promise<unknown> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await run();
    } catch (error) {
      const unlisted = error instanceof AnserError && error.codeName === "NOT_FOUND";
      if (!unlisted || Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

/** Again and again, until it goes as it should. */
async function untilIt(run: () => Promise<unknown>): Promise<void> {
  const deadline = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      await run();
      return;
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

async function refusedWith(run: () => Promise<unknown>, code: string): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (error instanceof AnserError && error.codeName === code) return;
    // The server API's errors carry the name in their text.
    if (!(error instanceof AnserError) && String(error).includes(`"${code}"`)) return;
    throw error;
  }
  throw new Error(`it was not refused with ${code}`);
}

/** Carries one step out; throws when it does not go as it says. */
export async function perform(stage: Stage, name: string, args: Args): Promise<void> {
  const { app, names } = stage;
  const look = LOOKS[name];
  const command = COMMANDS[name];
  let run: () => Promise<unknown>;
  if (look) {
    await expectThat(stage, name, args, look);
    return;
  } else if (name === "arrive") {
    for (const device of [args as unknown as string | string[]].flat()) {
      stage.actors.set(device, await Actor.arrive(app, device, names));
    }
    return;
  } else if (name === "offline" || name === "online") {
    // These two have devices and nothing else.
    for (const device of [args as unknown as string | string[]].flat()) {
      const actor = stage.actor(device);
      if (name === "online") await actor.connect();
      else actor.client.disconnect();
    }
    return;
  } else if (name === "unplug" || name === "plug") {
    for (const device of [args as unknown as string | string[]].flat()) {
      stage.actor(device).plug(name === "plug");
    }
    return;
  } else if (name === "restart") {
    for (const device of [args as unknown as string | string[]].flat()) {
      stage.actors.set(device, stage.actor(device).restart());
    }
    return;
  } else if (name === "connect") {
    run = () => stage.actor(args.by as string).connect();
  } else if (APPS[name]) {
    run = APPS[name].bind(undefined, stage, args);
  } else if (command) {
    const [device = ""] = [args.by].flat();
    const once = () => command(stage, args, stage.actor(device));
    run = name in OWN_VIEW && !args.refused ? () => onceListed(once) : once;
  } else {
    throw new Error(`there is no step ${name}`);
  }
  const whole = args.refused ? refusedWith.bind(undefined, run, args.refused) : run;
  // To connect is what a person tries again, be it refused for now.
  const patient = args.eventually === true || (name === "connect" && !args.refused);
  await (patient ? untilIt(whole) : whole());
}
