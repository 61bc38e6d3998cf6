/** Steps about conversations of the app's backend, and what is looked at of them. */
import { type Command, type Look, part } from "./stage.js";

export const SYSTEM: Record<string, Command> = {
  subscribe: ({ names }, { in: at }, { client }) => client.subscribe(names.conversation(at)),
  unsubscribe: ({ names }, { in: at }, { client }) => client.unsubscribe(names.conversation(at)),
};

export const SYSTEM_LOOKS: Record<string, Look> = {
  async expect_system({ names }, args, { client }) {
    const seen = await client.getSystemConversation(names.conversation(args.in));
    return part({ ...seen }, args, "in");
  },
};
