/**
 * A server of the protocol in memory, that does as it is told: with the rules of the real one for
 * what clients see, without its storage, and with ways to misbehave. Several users; a token is a
 * user's id. Also behind the demo page during development.
 */
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";

import type { Socket, SocketEvents } from "../src/environment.js";
import {
  type Conversation,
  type Message,
  type MessagePage,
  type Request,
  type Response,
  type ServerItem,
  type Sync,
  ClientFrameSchema,
  ConversationPageSchema,
  ConversationPushSchema,
  ConversationSchema,
  GroupMemberPageSchema,
  GroupNotice_Kind,
  GroupNoticeSchema,
  GroupRole,
  GroupSchema,
  MessagePageSchema,
  MessagePushSchema,
  MessageSchema,
  ResponseSchema,
  ServerFrameSchema,
  ServerItemSchema,
  type SendMessage,
  SendMessageResultSchema,
  SyncResultSchema,
} from "../src/gen/anser/client/v1/client_pb.js";
import { handleChange, sees, tellReceipt } from "./mini-changes.js";
import { MiniRooms } from "./mini-rooms.js";

type Result = Response["result"];
type Item = ServerItem["item"];

interface Member {
  first: number;
  readSeq: number;
  present: boolean;
  delivered: number;
  /** Deleted by this user, in the order of deleting. */
  deleted: number[];
  settings: Partial<Pick<Conversation, "pinned" | "muted" | "hidden" | "marks" | "draft">>;
  /** Feed version at which this row changed last. */
  version: bigint;
  previousName?: string;
}

export interface Talk {
  readonly id: string;
  /** Counts changes of messages. */
  rev: number;
  name: string;
  owner: string;
  readonly created: number;
  dismissed: boolean;
  readonly messages: Message[];
  readonly members: Map<string, Member>;
}

/** What a test wants done with a request instead of the usual. */
export type Verdict =
  { drop: true } | { error: number; retryAfterMs?: number } | { answer: Result } | undefined;

export class MiniServer {
  readonly sessions = new Set<Session>();
  readonly talks = new Map<string, Talk>();
  readonly rooms = new MiniRooms(this);
  /** All requests that arrived, Hello and Ping included. */
  readonly requests: { session: Session; request: Request }[] = [];
  /** Every frame that arrived. */
  readonly frames: Request[][] = [];
  epoch = 7n;
  heartbeatSeconds = 240;
  /** Sockets are accepted. */
  reachable = true;
  /** Answers and pushes reach the clients. */
  talking = true;
  /** Live messages are pushed; or lost. */
  pushing = true;
  pageMax = 100;
  syncPageMax = 50;
  /** Rows that a new device is told of at once; unless told, all. */
  firstWindow = Infinity;
  /** A page ends after so many messages looked at, be they the reader's to see or not. */
  scanned = false;
  opened = 0;
  judge: (request: Request, session: Session) => Verdict = () => undefined;
  #feeds = new Map<string, bigint>();
  #groups = 0;

  constructor(readonly clock: () => number) {}

  /** Accepts a connection, in the shape of a transport. */
  connect(events: SocketEvents): Socket {
    this.opened += 1;
    const session = new Session(this, events);
    queueMicrotask(() => {
      if (!this.reachable) session.hangUp("unreachable");
      else if (!session.over) {
        this.sessions.add(session);
        events.opened();
      }
    });
    return { send: (frame) => session.receive(frame), close: () => session.gone() };
  }

  /** Commands that arrived of one kind. */
  commands<C extends Request["command"]["case"]>(
    name: C,
  ): (Request["command"] & { case: C })["value"][] {
    return this.requests
      .map(({ request }) => request.command)
      .filter((command) => command.case === name)
      .map((command) => command.value as never);
  }

  /** Breaks every connection, as a cut cable does. */
  cut(): void {
    for (const session of [...this.sessions]) session.hangUp("cut");
  }

  /** Pushes to every session of a user. */
  push(user: string, item: Item): void {
    for (const session of this.sessions) if (session.user === user) session.send([item]);
  }

  feed(user: string): bigint {
    return this.#feeds.get(user) ?? 100n;
  }

  talk(id: string): Talk {
    let talk = this.talks.get(id);
    if (!talk) {
      const fresh = { rev: 0, name: "", owner: "", dismissed: false, created: this.clock() };
      talk = { ...fresh, id, messages: [], members: new Map() };
      this.talks.set(id, talk);
      if (id.startsWith("p/")) for (const user of id.slice(2).split("/")) this.join(talk, user);
    }
    return talk;
  }

  join(talk: Talk, user: string): void {
    const first = talk.messages.length + 1;
    const member = { first, readSeq: first - 1, present: true, version: 0n };
    talk.members.set(user, { ...member, delivered: 0, deleted: [], settings: {} });
  }

  /** Tells a user that a row changed. */
  touch(talk: Talk, user: string): void {
    const member = talk.members.get(user);
    if (!member) return;
    const feedPrevious = this.feed(user);
    const feedVersion = feedPrevious + 1n;
    this.#feeds.set(user, feedVersion);
    member.version = feedVersion;
    const conversation = this.row(talk, user);
    const value = create(ConversationPushSchema, { conversation, feedVersion, feedPrevious });
    if (this.pushing) this.push(user, { case: "conversation", value });
  }

  append(
    id: string,
    sender: string,
    body: string | Uint8Array,
    more: Partial<Message> = {},
  ): Message {
    const talk = this.talk(id);
    const fresh = talk.messages.length === 0;
    const seq = talk.messages.length + 1;
    const message = create(MessageSchema, {
      conversation: id,
      seq: BigInt(seq),
      messageId: `m${seq}`.padEnd(26, "0"),
      sender,
      time: BigInt(this.clock()),
      content: {
        type: "text",
        body: typeof body === "string" ? new TextEncoder().encode(body) : body,
      },
      counted: true,
    });
    Object.assign(message, more);
    talk.messages.push(message);
    for (const { settings } of talk.members.values()) settings.hidden = false;
    if (fresh) for (const user of talk.members.keys()) this.touch(talk, user);
    if (this.pushing) this.pushMessage(message);
    return message;
  }

  pushMessage(message: Message, except?: Session): void {
    const talk = this.talk(message.conversation);
    for (const session of this.sessions) {
      const member = session.user === undefined ? undefined : talk.members.get(session.user);
      if (!member?.present || session === except || !sees(message, session.user ?? "")) continue;
      const prev = BigInt(this.before(talk, session.user ?? "", Number(message.seq)));
      const value = create(MessagePushSchema, { message, prev });
      session.send([{ case: "message", value }]);
    }
  }

  /** What a user may see of a conversation. */
  visible(talk: Talk, user: string): Message[] {
    const { first = 1, deleted = [] } = talk.members.get(user) ?? {};
    return talk.messages.filter(
      (one) => Number(one.seq) >= first && !deleted.includes(Number(one.seq)) && sees(one, user),
    );
  }

  /** The last sequence before this one that a user may see. */
  before(talk: Talk, user: string, seq: number): number {
    const before = talk.messages.filter((one) => Number(one.seq) < seq && sees(one, user)).at(-1);
    return Number(before?.seq ?? 0n);
  }

  unread(talk: Talk, user: string): Message[] {
    const read = talk.members.get(user)?.readSeq ?? 0;
    return this.visible(talk, user).filter(
      ({ counted, sender, seq, state }) =>
        counted && sender !== user && Number(seq) > read && !state?.recall,
    );
  }

  mentions(talk: Talk, user: string): Message[] {
    return this.unread(talk, user).filter(
      ({ mention }) => mention?.all || mention?.users.includes(user),
    );
  }

  row(talk: Talk, user: string): Conversation {
    const member = talk.members.get(user);
    const newest = this.visible(talk, user).at(-1);
    const unread = this.unread(talk, user);
    return create(ConversationSchema, {
      id: talk.id,
      name: talk.name,
      headSeq: BigInt(talk.messages.length),
      lastTime: newest?.time ?? BigInt(talk.created),
      newest,
      unread: BigInt(unread.length),
      unreadMentions: BigInt(this.mentions(talk, user).length),
      rev: BigInt(talk.rev),
      deletedVersion: BigInt(member?.deleted.length ?? 0),
      ...member?.settings,
      readSeq: BigInt(member?.readSeq ?? 0),
      firstSeq: BigInt(member?.first ?? 1),
      member: (member?.present ?? false) && !talk.dismissed,
    });
  }

  rows(user: string): Talk[] {
    const mine = [...this.talks.values()].filter((talk) => talk.members.has(user));
    const time = (talk: Talk): number => Number(this.row(talk, user).lastTime);
    return mine.sort((a, b) => time(b) - time(a));
  }

  page(talk: Talk, user: string, from: number, descending: boolean, limit: number): MessagePage {
    const first = talk.members.get(user)?.first ?? 1;
    const max = Math.min(limit || 50, this.pageMax);
    const readable = this.visible(talk, user);
    const wanted = (this.scanned ? talk.messages : readable).filter(({ seq }) => {
      return descending ? from === 0 || Number(seq) < from : Number(seq) > from;
    });
    if (descending) wanted.reverse();
    return create(MessagePageSchema, {
      conversation: talk.id,
      messages: wanted.slice(0, max).filter((one) => readable.includes(one)),
      more: wanted.length > max,
      nextSeq: wanted.slice(0, max).at(-1)?.seq ?? 0n,
      rev: BigInt(talk.rev),
      headSeq: BigInt(talk.messages.length),
      firstSeq: BigInt(first),
    });
  }

  sync(user: string, sync: Sync): Result {
    const reset = sync.epoch !== 0n && sync.epoch !== this.epoch;
    const from = reset ? { feedVersion: 0n, syncedTime: 0n } : sync;
    const changed = this.rows(user).filter((talk) => {
      const row = this.row(talk, user);
      if (from.feedVersion === 0n) return row.member;
      const version = talk.members.get(user)?.version ?? 0n;
      const changed = talk.messages.some(({ state }) => (state?.time ?? 0n) >= from.syncedTime);
      return version > from.feedVersion || row.lastTime >= from.syncedTime || changed;
    });
    if (from.feedVersion === 0n) changed.splice(this.firstWindow);
    const start = Number(sync.cursor || 0);
    const rows = changed.slice(start, start + this.syncPageMax);
    const pages =
      reset || start > 0
        ? []
        : sync.open.map((open) => {
            const talk = this.talk(open.conversation);
            return this.page(talk, user, Number(open.seq), false, 50);
          });
    const end = start + rows.length;
    const value = create(SyncResultSchema, {
      epoch: this.epoch,
      reset,
      conversations: rows.map((talk) => this.row(talk, user)),
      pages: pages.filter(({ messages }) => messages.length > 0),
      feedVersion: this.feed(user),
      syncedTime: BigInt(this.clock()),
      cursor: end < changed.length ? String(end) : "",
    });
    return { case: "sync", value };
  }

  newGroup(id: string, name: string, owner: string, members: readonly string[]): Talk {
    const groupId = id || `group-${++this.#groups}`;
    const talk = this.talk(`g/${groupId}`);
    talk.name = name;
    talk.owner = owner;
    for (const user of new Set([owner, ...members])) this.join(talk, user);
    this.notice(talk, GroupNotice_Kind.CREATED, owner, members);
    return talk;
  }

  notice(talk: Talk, kind: GroupNotice_Kind, operator: string, users: readonly string[]): void {
    const notice = create(GroupNoticeSchema, {
      kind,
      operator,
      users: [...users],
      userCount: users.length,
    });
    const body = toBinary(GroupNoticeSchema, notice);
    const content = { $typeName: "anser.client.v1.Content" as const, type: "anser.group", body };
    this.append(talk.id, operator, body, { content, counted: false });
  }
}

export class Session {
  user: string | undefined;
  over = false;

  constructor(
    private readonly server: MiniServer,
    private readonly events: SocketEvents,
  ) {}

  receive(frame: Uint8Array): void {
    if (this.over) return;
    const { requests } = fromBinary(ClientFrameSchema, frame);
    this.server.frames.push(requests);
    for (const request of requests) {
      this.server.requests.push({ session: this, request });
      const verdict = this.server.judge(request, this);
      if (verdict && "drop" in verdict) continue;
      const result = verdict ? verdictResult(verdict) : this.#handle(request);
      this.send([{ case: "response", value: create(ResponseSchema, { id: request.id, result }) }]);
    }
  }

  /** Items in one frame. */
  send(items: Item[]): void {
    if (!this.server.talking) return;
    const frame = create(ServerFrameSchema, {
      items: items.map((item) => create(ServerItemSchema, { item })),
    });
    const bytes = toBinary(ServerFrameSchema, frame);
    queueMicrotask(() => {
      if (!this.over) this.events.received(bytes);
    });
  }

  /** Tells why and hangs up. */
  close(code: number): void {
    this.send([
      { case: "close", value: { $typeName: "anser.client.v1.ClosePush", ...closing(code) } },
    ]);
    queueMicrotask(() => this.hangUp("closed"));
  }

  hangUp(reason: string): void {
    if (this.over) return;
    this.gone();
    this.events.closed(reason);
  }

  gone(): void {
    this.over = true;
    this.server.sessions.delete(this);
    this.server.rooms.gone(this);
  }

  #handle(request: Request): Result {
    const { server } = this;
    const { command } = request;
    if (command.case === "hello") {
      this.user = command.value.token;
      const { epoch, heartbeatSeconds } = server;
      const welcome = {
        version: 1,
        userId: this.user,
        sessionId: `s${server.opened}`,
        serverTime: BigInt(server.clock()),
        heartbeatSeconds,
        epoch,
        feedVersion: server.feed(this.user),
      };
      return { case: "welcome", value: { $typeName: "anser.client.v1.Welcome", ...welcome } };
    }
    return handle(server, this, this.user ?? "", command);
  }
}

function handle(
  server: MiniServer,
  session: Session,
  me: string,
  command: Request["command"],
): Result {
  switch (command.case) {
    case "ping":
      return {
        case: "pong",
        value: {
          $typeName: "anser.client.v1.Pong",
          serverTime: BigInt(server.clock()),
          feedVersion: server.feed(me),
        },
      };
    case "sync":
      return server.sync(me, command.value);
    case "sendMessage": {
      const { conversation, clientMessageId, content, mention } = command.value;
      const { targets, uncounted, receiptWanted, burnAfterSeconds } = command.value;
      const talk = server.talk(conversation);
      if (!talk.members.get(me)?.present) return failure(3011);
      if (command.value.transient) return transient(server, session, me, command.value);
      let message = talk.messages.find(
        (m) => m.sender === me && m.clientMessageId === clientMessageId,
      );
      if (!message) {
        const { pushing } = server;
        const fresh = talk.messages.length === 0;
        server.pushing = false;
        message = server.append(conversation, me, "", {
          clientMessageId,
          counted: !uncounted,
          targets,
          receiptWanted,
          burnAfterSeconds,
          ...(mention && { mention }),
          ...(content && { content }),
        });
        server.pushing = pushing;
        if (fresh) for (const user of talk.members.keys()) server.touch(talk, user);
        if (pushing) server.pushMessage(message, session);
      }
      const { seq, messageId, time } = message;
      const prev = BigInt(server.before(talk, me, Number(seq)));
      const value = { conversation, seq, messageId, time, prev };
      return {
        case: "sendMessage",
        value: { $typeName: "anser.client.v1.SendMessageResult", ...value },
      };
    }
    case "pullMessages": {
      const { conversation, fromSeq, descending, limit } = command.value;
      const talk = server.talks.get(conversation);
      if (!talk?.members.get(me)?.present) return failure(3011);
      const value = server.page(talk, me, Number(fromSeq), descending, limit);
      return { case: "messages", value };
    }
    case "markRead": {
      const talk = server.talk(command.value.conversation);
      const member = talk.members.get(me);
      if (!member) return failure(3011);
      const to = Math.min(Number(command.value.seq), talk.messages.length);
      member.readSeq = Math.max(member.readSeq, to);
      const { unread, unreadMentions, readSeq, id } = server.row(talk, me);
      tellReceipt(server, talk, me);
      for (const other of server.sessions) {
        if (other.user !== me || other === session) continue;
        const read = { conversation: id, readSeq, unread, unreadMentions };
        other.send([{ case: "read", value: { $typeName: "anser.client.v1.ReadPush", ...read } }]);
      }
      const value = { readSeq, unread, unreadMentions };
      return { case: "markRead", value: { $typeName: "anser.client.v1.MarkReadResult", ...value } };
    }
    case "listConversations": {
      const start = Number(command.value.cursor || 0);
      const end = start + (command.value.limit || 20);
      const rows = server.rows(me);
      const conversations = rows.slice(start, end).map((talk) => server.row(talk, me));
      const cursor = end < rows.length ? String(end) : "";
      return {
        case: "conversations",
        value: create(ConversationPageSchema, { conversations, cursor }),
      };
    }
    case "logout":
      queueMicrotask(() => session.close(4002));
      return done();
    default: {
      const inRoom = server.rooms.handle(session, me, command);
      if (inRoom !== undefined) return typeof inRoom === "number" ? failure(inRoom) : inRoom;
      const result = handleChange(server, me, command);
      if (typeof result === "number") return failure(result);
      return result ?? handleGroup(server, me, command);
    }
  }
}

/** To everybody else who is here now, and then it never was. */
function transient(server: MiniServer, session: Session, me: string, send: SendMessage): Result {
  const { conversation, content } = send;
  const time = BigInt(server.clock());
  const message = create(MessageSchema, { conversation, sender: me, time });
  if (content) message.content = content;
  for (const other of server.sessions) {
    const member = other.user !== undefined && server.talk(conversation).members.get(other.user);
    if (!member || other === session) continue;
    other.send([{ case: "message", value: create(MessagePushSchema, { message }) }]);
  }
  return { case: "sendMessage", value: create(SendMessageResultSchema, { conversation }) };
}

function handleGroup(server: MiniServer, me: string, command: Request["command"]): Result {
  if (command.case === "createGroup") {
    const { groupId, name, members } = command.value;
    return groupResult(server.newGroup(groupId, name, me, members));
  }
  const value = command.value as { groupId?: string } | undefined;
  const talk = server.talks.get(`g/${value?.groupId}`);
  if (!talk) return failure(3010);
  if (!talk.members.get(me)?.present) return failure(3011);
  const leave = (kind: GroupNotice_Kind, users: readonly string[]): Result => {
    server.notice(talk, kind, me, users);
    for (const user of users) {
      const member = talk.members.get(user);
      if (member) member.present = false;
      server.touch(talk, user);
    }
    return done();
  };
  switch (command.case) {
    case "addGroupMembers": {
      const users = command.value.members.filter((user) => !talk.members.get(user)?.present);
      for (const user of users) server.join(talk, user);
      server.notice(talk, GroupNotice_Kind.ADDED, me, users);
      for (const user of users) server.touch(talk, user);
      return groupResult(talk);
    }
    case "removeGroupMembers":
      if (talk.owner !== me) return failure(3012);
      leave(GroupNotice_Kind.REMOVED, command.value.members);
      return groupResult(talk);
    case "quitGroup":
      return leave(GroupNotice_Kind.QUIT, [me]);
    case "dismissGroup":
      if (talk.owner !== me) return failure(3012);
      talk.dismissed = true;
      return leave(GroupNotice_Kind.DISMISSED, [...talk.members.keys()]);
    case "getGroup":
      return groupResult(talk);
    case "listGroupMembers": {
      const present = [...talk.members].filter(([, { present }]) => present);
      const members = present.map(([userId]) => ({
        userId,
        role: userId === talk.owner ? GroupRole.OWNER : GroupRole.MEMBER,
      }));
      return { case: "groupMembers", value: create(GroupMemberPageSchema, { members }) };
    }
    default:
      return failure(3000);
  }
}

function groupResult(talk: Talk): Result {
  const memberCount = [...talk.members.values()].filter(({ present }) => present).length;
  const value = create(GroupSchema, {
    groupId: talk.id.slice(2),
    name: talk.name,
    owner: talk.owner,
    memberCount,
    createdTime: BigInt(talk.created),
  });
  return { case: "group", value };
}

function verdictResult(verdict: Exclude<Verdict, { drop: true } | undefined>): Result {
  return "answer" in verdict ? verdict.answer : failure(verdict.error, verdict.retryAfterMs);
}

function done(): Result {
  return { case: "done", value: { $typeName: "anser.client.v1.Done" } };
}

function failure(code: number, retryAfterMs = 0): Result {
  return { case: "error", value: closing(code, retryAfterMs).error };
}

function closing(code: number, retryAfterMs = 0) {
  const fields = { code, name: `CODE_${code}`, message: "", retryAfterMs };
  return { error: { $typeName: "anser.client.v1.Error" as const, ...fields } };
}
