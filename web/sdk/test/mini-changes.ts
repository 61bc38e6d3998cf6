/** The commands of the server in memory that change messages, and one's own view of them. */
import { create } from "@bufbuild/protobuf";

import {
  type Message,
  type MessageState,
  type Request,
  type Response,
  ChangePageSchema,
  ChangePushSchema,
  DeletedPageSchema,
  DeletedPushSchema,
  EditSchema,
  MessageChangedSchema,
  MessageListSchema,
  MessageStateSchema,
  ReaderPageSchema,
  ReactionSchema,
  RecallSchema,
  ReceiptPageSchema,
  ReceiptPushSchema,
  ReceiptSchema,
} from "../src/gen/anser/client/v1/client_pb.js";
import type { MiniServer, Talk } from "./mini-server.js";

type Result = Response["result"];

const NOT_FOUND = 3010;

/** Gives a message another state and tells everybody who may see it. */
export function change(
  server: MiniServer,
  talk: Talk,
  message: Message,
  apply: (state: MessageState) => void,
): MessageState {
  const previousRev = BigInt(talk.rev);
  talk.rev += 1;
  const { recall, edit, expansion = [], reactions = [] } = message.state ?? {};
  const state = create(MessageStateSchema, { expansion, reactions });
  Object.assign(state, { rev: BigInt(talk.rev), time: BigInt(server.clock()), recall, edit });
  apply(state);
  // What was pushed before stays as it was.
  const changed = { ...message, state };
  if (state.recall) {
    changed.content = {
      $typeName: "anser.client.v1.Content",
      type: message.content?.type ?? "",
      body: new Uint8Array(),
    };
    delete changed.mention;
  }
  talk.messages[Number(message.seq) - 1] = changed;
  if (server.pushing) {
    for (const user of talk.members.keys()) {
      if (!sees(changed, user)) continue;
      const value = create(ChangePushSchema, { message: changed, previousRev });
      server.push(user, { case: "change", value });
    }
  }
  return state;
}

export function sees(message: Message, user: string): boolean {
  const { targets, sender } = message;
  return targets.length === 0 || sender === user || targets.includes(user);
}

export function recall(server: MiniServer, id: string, seq: number): void {
  const talk = server.talk(id);
  const message = talk.messages[seq - 1];
  if (!message) throw new Error(`no message ${seq}`);
  change(server, talk, message, (state) => {
    const time = BigInt(server.clock());
    state.recall = create(RecallSchema, { operator: message.sender, time });
  });
}

/** `undefined`: not one of these commands. */
export function handleChange(
  server: MiniServer,
  me: string,
  command: Request["command"],
): Result | number | undefined {
  const value = command.value as { conversation?: string; seq?: bigint } | undefined;
  const talk = server.talks.get(value?.conversation ?? "");
  if (!talk) return undefined;
  const message = talk.messages[Number(value?.seq ?? 0n) - 1];
  const changed = (apply: (state: MessageState) => void): Result | number => {
    if (!message) return NOT_FOUND;
    const state = change(server, talk, message, apply);
    const { conversation, seq } = message;
    const fields = { conversation, seq, state };
    return { case: "messageChanged", value: create(MessageChangedSchema, fields) };
  };
  switch (command.case) {
    case "recallMessage":
      return changed((state) => {
        state.recall = create(RecallSchema, { operator: me, time: BigInt(server.clock()) });
      });
    case "editMessage":
      return changed((state) => {
        const { content, mention } = command.value;
        if (message) Object.assign(message, { content, mention });
        const count = (state.edit?.count ?? 0) + 1;
        state.edit = create(EditSchema, { operator: me, time: BigInt(server.clock()), count });
      });
    case "updateExpansion":
      return changed((state) => {
        const { put, remove } = command.value;
        const kept = state.expansion.filter(({ key }) => !(key in put) && !remove.includes(key));
        const added = Object.entries(put).map(([key, text]) => {
          return { $typeName: "anser.client.v1.Expansion" as const, key, value: text, user: me };
        });
        state.expansion = [...kept, ...added];
      });
    case "react":
      return changed((state) => {
        const { reaction, remove } = command.value;
        const others = state.reactions.filter((one) => one.reaction !== reaction);
        const known = state.reactions.find((one) => one.reaction === reaction);
        const users = (known?.users ?? []).filter((user) => user !== me);
        if (!remove) users.push(me);
        const mine = create(ReactionSchema, { reaction, users });
        state.reactions = users.length > 0 ? [...others, mine] : others;
      });
    case "pullChanges": {
      const { fromRev, limit } = command.value;
      const max = Math.min(limit || 50, server.pageMax);
      const news = talk.messages
        .filter((one) => (one.state?.rev ?? 0n) > fromRev && sees(one, me))
        .sort((a, b) => Number((a.state?.rev ?? 0n) - (b.state?.rev ?? 0n)));
      const messages = news.slice(0, max);
      const more = news.length > max;
      const rev = more ? (messages.at(-1)?.state?.rev ?? 0n) : BigInt(talk.rev);
      const fields = { conversation: talk.id, messages, rev, more };
      return { case: "changes", value: create(ChangePageSchema, fields) };
    }
    case "getMessages": {
      const wanted = command.value.seqs.flatMap((seq) => talk.messages[Number(seq) - 1] ?? []);
      const messages = wanted.filter((one) => sees(one, me));
      return { case: "messageList", value: create(MessageListSchema, { messages }) };
    }
    default:
      return handleView(server, talk, me, command);
  }
}

function handleView(
  server: MiniServer,
  talk: Talk,
  me: string,
  command: Request["command"],
): Result | number | undefined {
  const member = talk.members.get(me);
  if (!member) return undefined;
  switch (command.case) {
    case "listMentions": {
      const messages = server.mentions(talk, me).slice(0, 100);
      return { case: "messageList", value: create(MessageListSchema, { messages }) };
    }
    case "deleteMessages": {
      const { seqs } = command.value;
      const deletedPrevious = BigInt(member.deleted.length);
      for (const seq of seqs) member.deleted.push(Number(seq));
      const deletedVersion = BigInt(member.deleted.length);
      const fields = { conversation: talk.id, seqs, deletedVersion, deletedPrevious };
      const value = create(DeletedPushSchema, fields);
      if (server.pushing) server.push(me, { case: "deleted", value });
      server.touch(talk, me);
      const page = { conversation: talk.id, seqs, deletedVersion };
      return { case: "deleted", value: create(DeletedPageSchema, page) };
    }
    case "pullDeleted": {
      const from = Number(command.value.fromVersion);
      const end = Math.min(from + (command.value.limit || 100), member.deleted.length);
      const fields = {
        conversation: talk.id,
        seqs: member.deleted.slice(from, end).map(BigInt),
        deletedVersion: BigInt(end),
        more: end < member.deleted.length,
      };
      return { case: "deleted", value: create(DeletedPageSchema, fields) };
    }
    case "clearHistory": {
      const upTo = Number(command.value.upToSeq) || talk.messages.length;
      member.first = Math.max(member.first, upTo + 1);
      server.touch(talk, me);
      return { case: "conversation", value: server.row(talk, me) };
    }
    case "updateConversation": {
      const { conversation: _conversation, marks, $typeName: _name, ...rest } = command.value;
      Object.assign(member.settings, rest, marks && { marks: marks.marks });
      server.touch(talk, me);
      return { case: "conversation", value: server.row(talk, me) };
    }
    case "deleteConversation":
      member.settings = { hidden: true };
      if (command.value.withHistory) member.first = talk.messages.length + 1;
      server.touch(talk, me);
      return done();
    case "markDelivered": {
      member.delivered = Math.max(member.delivered, Number(command.value.seq));
      tellReceipt(server, talk, me);
      return done();
    }
    case "getReceipts": {
      const receipts = [...talk.members.keys()].map((user) => receipt(talk, user));
      return { case: "receipts", value: create(ReceiptPageSchema, { receipts, version: 1n }) };
    }
    case "listReaders": {
      const others = [...talk.members].filter(([user]) => user !== me);
      const seq = Number(command.value.seq);
      const users = others.filter(([, { readSeq }]) => readSeq >= seq).map(([user]) => user);
      const fields = { users, count: users.length, of: others.length };
      return { case: "readers", value: create(ReaderPageSchema, fields) };
    }
    default:
      return undefined;
  }
}

/** Tells the others of a private chat how far this one is. */
export function tellReceipt(server: MiniServer, talk: Talk, user: string): void {
  if (!server.pushing || !talk.id.startsWith("p/")) return;
  const fields = { conversation: talk.id, receipts: [receipt(talk, user)] };
  for (const other of talk.members.keys()) {
    if (other === user) continue;
    server.push(other, { case: "receipt", value: create(ReceiptPushSchema, fields) });
  }
}

function receipt(talk: Talk, user: string) {
  const { readSeq = 0, delivered = 0 } = talk.members.get(user) ?? {};
  const deliveredSeq = BigInt(Math.max(delivered, readSeq));
  return create(ReceiptSchema, { user, deliveredSeq, readSeq: BigInt(readSeq) });
}

function done(): Result {
  return { case: "done", value: { $typeName: "anser.client.v1.Done" } };
}
