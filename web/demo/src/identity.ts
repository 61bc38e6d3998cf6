/**
 * Who sits at this tab. Every tab is a person of its own, so that two people can talk on one
 * screen: the name is kept in the tab's storage, and a link can open a tab as someone else.
 */

const USER_KEY = "anser.demo.user";

/** What a link asks for: `#as=bob&with=alice`. */
export interface Invitation {
  readonly as: string | undefined;
  readonly with: string | undefined;
}

export function readInvitation(hash: string): Invitation {
  const wanted = new URLSearchParams(hash.replace(/^#/, ""));
  return {
    as: wanted.get("as")?.trim() || undefined,
    with: wanted.get("with")?.trim() || undefined,
  };
}

export function invitationLink(as: string, withUser: string): string {
  return `#${new URLSearchParams({ as, with: withUser })}`;
}

/** The live room that a link leads to, `#live=lake`; empty: to choose one. */
export function readLive(hash: string): string | undefined {
  return new URLSearchParams(hash.replace(/^#/, "")).get("live")?.trim();
}

export function liveLink(room: string): string {
  return `#${room === "" ? "live" : new URLSearchParams({ live: room })}`;
}

/** A name for the second window that is not the first one's. */
export function someoneElse(me: string, language: string): string {
  const names = language === "zh" ? ["小鸿", "阿雁"] : ["bob", "alice"];
  return names.find((name) => name !== me) ?? "carol";
}

export function keptUser(): string | undefined {
  return sessionStorage.getItem(USER_KEY) ?? undefined;
}

export function keepUser(user: string | undefined): void {
  if (user === undefined) sessionStorage.removeItem(USER_KEY);
  else sessionStorage.setItem(USER_KEY, user);
}

/** A token of the demo's app. Its server gives one to everybody, which no real one does. */
export async function demoToken(user: string): Promise<string> {
  return (await post<{ token: string }>("token", { user })).token;
}

/** Makes sure that there is such a chat room; who opens it moderates it. As little of a real one. */
export async function openRoom(user: string, room: string): Promise<void> {
  await post("room", { user, room });
}

async function post<T>(path: string, body: unknown): Promise<T> {
  const response = await fetch(new URL(path, document.baseURI), {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`${response.status}: ${await response.text()}`);
  return (await response.json()) as T;
}

/**
 * Makes sure that these people exist: a user does from the first token on. So one can write to
 * somebody who will open the page only later.
 */
export async function introduce(users: readonly string[]): Promise<void> {
  await Promise.allSettled(users.map(demoToken));
}

/** Names out of what a person typed. */
export function splitNames(text: string): string[] {
  return [...new Set(text.split(/[\s,，、;；]+/).filter((name) => name !== ""))];
}
