/** Steps about conversations that users create, and what is looked at of them. */
import type {
  AnserClient,
  CreatedConversation,
  CreatedUpdate,
  GroupMember,
  QueryFilter,
} from "../sdk/src/index.js";
import type { Names } from "./actors.js";
import type { Args } from "./scenarios.js";
import { type Command, HOUR, type Look, named, part } from "./stage.js";

function updateFrom(update: NonNullable<Args["update"]>): CreatedUpdate {
  const { set, unset, history_visible, ...rest } = update;
  return {
    ...rest,
    ...(set && { setAttributes: set }),
    ...(unset && { unsetAttributes: unset }),
    ...(history_visible !== undefined && { historyVisible: history_visible }),
  };
}

/** The one change that is named. */
function change(client: AnserClient, args: Args, names: Names): Promise<unknown> {
  const { set_role, mute, block } = args;
  const at = names.conversation(args.in);
  if (args.invite) return client.inviteToConversation(at, names.users(args.invite));
  if (args.remove) return client.removeFromConversation(at, names.users(args.remove as string[]));
  if (args.leave) return client.leaveConversation(at);
  if (args.join) return client.joinConversation(at);
  if (args.update) return client.updateCreatedConversation(at, updateFrom(args.update));
  if (set_role) return client.setConversationRole(at, names.users(set_role.users), set_role.role);
  if (args.transfer) return client.transferConversation(at, names.user(args.transfer));
  if (args.dismiss) return client.dismissConversation(at);
  if (mute && "users" in mute) {
    const seconds = mute.lift ? 0 : (mute.seconds ?? HOUR);
    return client.muteInConversation(at, names.users(mute.users), seconds);
  }
  if (!block) throw new Error("it changes nothing");
  const seconds = block.lift ? 0 : (block.seconds ?? HOUR);
  return client.blockFromConversation(at, names.users(block.users), seconds);
}

export const CREATED: Record<string, Command> = {
  async create_conversation(stage, args) {
    const { names } = stage;
    const creators = [args.by].flat();
    const create = async (by: string): Promise<CreatedConversation> => {
      const me = by.split("/")[0];
      return stage.actor(by).client.createConversation({
        ...(args.name !== undefined && { name: args.name }),
        members: names.users((args.members ?? []).filter((member) => member !== me)),
        ...(args.attributes && { attributes: args.attributes }),
        ...(args.public && { public: true }),
        ...(args.unique && { unique: true }),
        ...(args.temporary && { temporary: true }),
        ...(args.seconds && { seconds: args.seconds }),
      });
    };
    const made = await Promise.all(creators.map(create));
    const answers = new Set(made.map(({ conversation }) => conversation));
    if (answers.size !== 1) throw new Error(`they got ${[...answers].join()}`);
    const [one] = answers;
    const fresh = made.filter(({ reused }) => !reused).length;
    if (args.reused && (fresh > 0 || one !== names.conversation(`c/${args.as}`))) {
      throw new Error("it is another one");
    }
    if (!args.reused && fresh !== 1) throw new Error(`${fresh} were made`);
    names.created(args.as, one ?? "");
  },
  change_conversation: ({ names }, args, { client }) => change(client, args, names),
};

function memberWord({ role, nickname }: GroupMember): string {
  return role + (nickname && ` (${nickname})`);
}

export const CREATED_LOOKS: Record<string, Look> = {
  async expect_created({ names }, args, { client }) {
    const seen = await client.getCreatedConversation(names.conversation(args.in));
    const { settings, memberCount, managers, owner } = seen;
    const view = {
      ...seen,
      ...settings,
      owner: names.plain(owner),
      managers: managers.map((user) => names.plain(user)),
      members: memberCount,
      history_visible: settings.historyVisible,
    };
    return part(view, args, "in");
  },
  async expect_conversation_members({ names }, args, { client }) {
    const { muted = false, members } = args;
    const page = await client.conversationMembers(names.conversation(args.in), {
      ...(muted === true && { muted }),
    });
    const seen = page.members.map((member) => [names.plain(member.userId), memberWord(member)]);
    return [Object.fromEntries(seen), members];
  },
  async expect_conversation_blocks({ names }, { in: at, users }, { client }) {
    const page = await client.conversationBlocks(names.conversation(at));
    return [page.users.map(({ userId }) => names.plain(userId)), users];
  },
  async expect_query({ names }, args, { client }) {
    const { filter, sort, skip, limit, conversations, matched = conversations.length } = args;
    const found = await client.queryConversations({
      ...(filter !== undefined && { filter: named(filter as QueryFilter, names) }),
      ...(sort && { sort }),
      ...(skip !== undefined && { skip }),
      ...(limit !== undefined && { limit }),
    });
    const seen = found.conversations.map(({ conversation }) => names.plain(conversation));
    return [
      [seen, found.matched, found.complete],
      [conversations, matched, true],
    ];
  },
};
