/** How names, times and messages read. */
import {
  type Content,
  type Conversation,
  type Message,
  bodyOf,
  parseConversation,
  peerOf,
} from "@anser-im/sdk";

import type { Words } from "./i18n.js";

/** Names spelled out in a notice. */
const NOTICE_NAMES = 5;

/** What a conversation is called in front of this user. */
export function titleOf(id: string, name: string, me: string, words: Words): string {
  const parsed = parseConversation(id);
  if (parsed.kind === "group") return name || parsed.group;
  if (parsed.kind === "created") return name || parsed.id;
  const peer = peerOf(id, me);
  return peer === undefined || peer === me ? words.notes : peer;
}

/** One line for what a message says. */
export function previewOf(message: Message, words: Words, me: string): string {
  if (message.notice) return noticeText(message, words, me);
  if (message.state?.recall) return recallText(message, words, me);
  return message.text ?? contentLine(message.content, words);
}

/** One line for what is no text. */
export function contentLine(content: Content, words: Words): string {
  if (content.type === "image") return `[${words.picture}]`;
  if (content.type === "file") return `[${words.file}] ${bodyOf(content, "file")?.name ?? ""}`;
  if (content.type === "location") {
    return `[${words.place}] ${bodyOf(content, "location")?.name ?? ""}`;
  }
  return words.unknownMessage(content.type);
}

export function fileSize(bytes: number): string {
  const units = ["B", "KB", "MB"];
  const step = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), units.length - 1);
  return `${(bytes / 1024 ** step).toFixed(step === 2 ? 1 : 0)} ${units[step]}`;
}

export function previewOfRow(row: Conversation, words: Words, me: string): string {
  const { newest, invitation } = row;
  if (invitation) return words.invitedYou(invitation.operator || words.somebody);
  if (!newest) return "";
  const said = previewOf(newest, words, me);
  if (newest.notice || newest.state?.recall) return said;
  if (newest.sender === me) return `${words.you}: ${said}`;
  return row.id.startsWith("p/") ? said : `${newest.sender}: ${said}`;
}

export function recallText(message: Message, words: Words, me: string): string {
  const operator = message.state?.recall?.operator ?? "";
  return words.recalled(operator === me ? words.you : operator || words.somebody);
}

/** The members whom a text mentions: @name, and @all for everybody. */
export function mentionIn(
  text: string,
  members: readonly string[],
): { all: boolean; users: string[] } | undefined {
  const names = [...text.matchAll(/@([^\s@,，.。!！?？:：]+)/gu)].map(([, name]) => name ?? "");
  const all = names.includes("all") || names.includes("所有人");
  const users = members.filter((member) => names.includes(member)).slice(0, 100);
  return all || users.length > 0 ? { all, users } : undefined;
}

export function noticeText(message: Message, words: Words, me: string): string {
  const { notice } = message;
  if (!notice) return "";
  const who = notice.operator === me ? words.you : notice.operator || words.somebody;
  const others = notice.users.filter((user) => user !== notice.operator);
  const named = others.slice(0, NOTICE_NAMES).map((user) => (user === me ? words.youInside : user));
  const more = notice.userCount - (notice.users.length - others.length) - named.length;
  const users = [...named, ...(more > 0 ? [words.more(more)] : [])].join(words.listSeparator);
  const own = notice.operator === "" && users === "" ? words.somebody : users || who;
  switch (notice.kind) {
    case "joined":
      return words.joined(own);
    case "invited":
      return words.invited(who, users);
    case "declined":
      return words.declined(own);
    case "transferred":
      return words.transferred(who, users);
    case "updated":
      if (notice.changed.includes("announcement") && notice.announcement) {
        return words.announced(who, notice.announcement);
      }
      return notice.changed.includes("name") ? words.renamed(who, notice.name) : words.updated(who);
    case "role-set":
      if (notice.role === "admin") return words.madeAdmin(who, users);
      return words.roleSet(who, users, notice.roleName);
    case "role-defined":
      return words.roleDefined(who, notice.roleName);
    case "member-updated":
      return words.memberUpdated(who);
    case "muted":
      return (notice.until > 0 ? words.mutedNotice : words.unmutedNotice)(who, users);
    case "banned":
      return (notice.until > 0 ? words.bannedNotice : words.unbannedNotice)(who, users);
    case "exempted":
      return (notice.exempt ? words.exemptedNotice : words.unexemptedNotice)(who, users);
    case "created":
      return words.created(who, users);
    case "added":
      return words.added(who, users);
    case "removed":
      return words.removed(who, users);
    case "quit":
      return words.quitNotice(who);
    case "dismissed":
      return words.dismissed(who);
    default:
      return words.unknownMessage(message.content.type);
  }
}

export function clockTime(time: number, language: string): string {
  return new Date(time).toLocaleTimeString(language, { hour: "2-digit", minute: "2-digit" });
}

export function dayOf(time: number): string {
  return new Date(time).toDateString();
}

export function dayName(time: number, now: number, words: Words, language: string): string {
  if (dayOf(time) === dayOf(now)) return words.today;
  if (dayOf(time) === dayOf(now - 86_400_000)) return words.yesterday;
  return new Date(time).toLocaleDateString(language, {
    month: "long",
    day: "numeric",
    weekday: "short",
  });
}

/** For the list: the time of today, the day of before. */
export function shortTime(time: number, now: number, language: string): string {
  if (dayOf(time) === dayOf(now)) return clockTime(time, language);
  return new Date(time).toLocaleDateString(language, { month: "numeric", day: "numeric" });
}

/** One of eight hues, the same for a name everywhere. */
export function hueOf(name: string): number {
  let hash = 0;
  // An odd multiplier with well-spread bits; the upper bits of the product are the mixed ones.
  for (const character of name)
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x85ebca6b);
  return hash >>> 29;
}
