/** Steps about what a device keeps, and what is looked at of it. */
import type { Message } from "../sdk/src/index.js";
import { makeMessage } from "../sdk/src/wire.js";
import type { Names } from "./actors.js";
import type { Args, Shown } from "./scenarios.js";
import type { Command, Look, Stage } from "./stage.js";

/** What an import says of the time of a message: so many milliseconds before it, by its sequence. */
const IMPORTED = 1_700_000_000_000;
/** Messages that one query gives at most. */
const LIMIT = 500;

export const LOCAL: Record<string, Command> = {
  async queue({ names }, { to, text = "" }, { client }) {
    const conversation = names.conversation(to);
    const clientMessageId = client.newMessageId();
    // Whether it went out, expectations say.
    client.send(conversation, text, { clientMessageId }).catch(() => {});
  },
  async draft({ names }, { in: at, text = "" }, { client }) {
    client.local.setDraft(names.conversation(at), text);
  },
  async import({ names }, { in: at, messages }, { client }) {
    const conversation = names.conversation(at);
    const given = messages as readonly { seq: number; sender: string; text: string }[];
    await client.local.import(
      given.map(({ seq, sender, text }) =>
        makeMessage(
          {
            conversation,
            seq,
            id: `${conversation}-${seq}`,
            sender: names.user(sender),
            clientMessageId: "",
            time: IMPORTED + seq,
            counted: true,
            mention: undefined,
            targets: [],
            burnAfterSeconds: 0,
            receiptWanted: false,
            state: undefined,
          },
          { type: "text", body: new TextEncoder().encode(text) },
        ),
      ),
    );
  },
};

/** Messages as they are kept, ascending. */
async function kept({ names }: Stage, args: Args, { client }: Parameters<Look>[2]) {
  const { local } = client;
  const query = { conversation: names.conversation(args.in), limit: LIMIT };
  const all = await local.messages(query);
  // A moment is said by the message that came then.
  const found = (seq: number | undefined) => all.find((message) => message.seq === seq);
  if (args.seq !== undefined) {
    const one = await local.message(found(args.seq)?.id ?? "");
    return one ? [one] : [];
  }
  const [since, until] = [found(args.since)?.time, found(args.until)?.time];
  return local.messages({
    ...query,
    ...(args.type && { types: [args.type] }),
    ...(since !== undefined && { since }),
    ...(until !== undefined && { until }),
  });
}

/** Compares messages with those that are wanted. */
type Compare = (
  messages: readonly Message[],
  wanted: readonly Shown[],
  names: Names,
) => [unknown, unknown];

export function localLooks(compare: Compare): Record<string, Look> {
  return {
    async expect_local(stage, args, actor) {
      return compare(await kept(stage, args, actor), args.messages, stage.names);
    },
    async expect_local_search({ names }, args, { client }) {
      const { messages } = await client.local.search({
        text: args.query ?? "",
        ...(args.in && { conversation: names.conversation(args.in) }),
        ...(args.sender && { sender: names.user(args.sender) }),
      });
      return compare(messages, args.messages, names);
    },
    async expect_draft({ names }, { in: at, text }, { client }) {
      await client.local.ready;
      return [client.local.draft(names.conversation(at)), text];
    },
    async expect_queued({ names }, { in: at, texts }, { client }) {
      const waiting = client.outgoing
        .of(names.conversation(at))
        .filter(({ state }) => state === "sending");
      return [waiting.map(({ text }) => text), texts];
    },
  };
}
