/** Steps about other people — lists, presence — and the search, and what is looked at of them. */
import type { Message } from "../sdk/src/index.js";
import { type Command, HOUR, type Look, part } from "./stage.js";

export const PEOPLE: Record<string, Command> = {
  relations({ names }, { list, add, remove, allow_only }, { client }) {
    return client.updateRelations(list, {
      ...(add && { add: names.users(add) }),
      ...(remove !== undefined && { remove: names.users(remove as string[]) }),
      ...(allow_only !== undefined && { allowOnly: allow_only }),
    });
  },
  set_status: (_stage, { status = "" }, { client }) => client.setPresenceStatus(status, HOUR),
  async subscribe_presence({ names }, { users, end = false }, { client, presences }) {
    const answer = await client.subscribePresence(names.users(users), end ? 0 : HOUR);
    for (const presence of answer) presences.set(presence.user, presence);
  },
};

export const PEOPLE_LOOKS: Record<string, Look> = {
  async expect_relations({ names }, args, { client }) {
    const page = await client.relations(args.list);
    const users = page.users.map((user) => names.plain(user));
    return part({ users, allow_only: page.allowOnly }, args, "list");
  },
  expect_relations_told: async (_stage, { told }, { relations }) => [relations, told],
  async expect_presence({ names }, args, { client }) {
    const [presence] = await client.presence([names.user(args.user)]);
    return part({ ...presence, devices: onlineDevices(presence?.devices) }, args, "user");
  },
  async expect_presence_told({ names }, args, { presences }) {
    const presence = presences.get(names.user(args.user));
    return part({ ...presence, devices: onlineDevices(presence?.devices) }, args, "user");
  },
  async expect_subscriptions({ names }, { users }, { client }) {
    const all = await client.presenceSubscriptions();
    return [all.map(({ user }) => names.plain(user)), users];
  },
  async expect_search({ names }, args, { client }) {
    const found: Message[] = [];
    for (let cursor: string | undefined; cursor !== "";) {
      const page = await client.searchMessages({
        ...(args.query !== undefined && { query: args.query }),
        ...(args.in && { conversation: names.conversation(args.in) }),
        ...(args.sender && { sender: names.user(args.sender) }),
        ...(args.type && { type: args.type }),
        ...(cursor && { cursor }),
      });
      found.push(...page.messages);
      cursor = page.cursor;
    }
    const seen = found.map(({ text, content }) => text ?? `<${content.type}>`);
    // The order of conversations is that of their names, which a scenario does not know.
    return args.in ? [seen, args.messages] : [seen.sort(), [...args.messages].sort()];
  },
  expect_closed: async (_stage, { code }, { closed }) => [closed, code],
};

function onlineDevices(
  devices: readonly { platform: string | undefined; online: boolean }[] = [],
): (string | undefined)[] {
  return devices
    .filter(({ online }) => online)
    .map(({ platform }) => platform)
    .sort();
}
