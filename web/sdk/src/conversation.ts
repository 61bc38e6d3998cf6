/**
 * What a conversation is called.
 *
 * One string names a conversation for everybody in it: `p/<user>/<user>` for a private chat, with
 * the two ids in byte order, `g/<group>` for a group, and `c/<id>` for one that a user created. In
 * ids, `%` and `/` are written `%25` and `%2F`; there is exactly one way to write each name.
 */
import { invalid } from "./errors.js";

/** Bytes of a user or group id. */
const ID_BYTES_MAX = 64;

const utf8 = new TextEncoder();

/** A name, taken apart. */
export type ParsedConversation =
  | { readonly kind: "private"; readonly users: readonly [string, string] }
  | { readonly kind: "group"; readonly group: string }
  | { readonly kind: "created"; readonly id: string };

/** The private conversation of two users; both may be the same one: notes to oneself. */
export function privateWith(me: string, peer: string): string {
  const [low, high] = compareBytes(me, peer) <= 0 ? [me, peer] : [peer, me];
  return `p/${escape(low)}/${escape(high)}`;
}

/** The conversation of a group. */
export function group(id: string): string {
  return `g/${escape(id)}`;
}

/** Takes a name apart. Throws an `AnserError` unless it is written in the one right way. */
export function parseConversation(name: string): ParsedConversation {
  const parts = name.split("/");
  const ids = parts.slice(1).map(unescape);
  const [first, second] = ids;
  if (parts[0] === "p" && ids.length === 2 && first !== undefined && second !== undefined) {
    if (privateWith(first, second) === name) return { kind: "private", users: [first, second] };
  } else if (parts[0] === "g" && ids.length === 1 && first !== undefined) {
    if (group(first) === name) return { kind: "group", group: first };
  } else if (parts[0] === "c" && ids.length === 1 && first !== undefined) {
    if (`c/${escape(first)}` === name) return { kind: "created", id: first };
  }
  throw invalid(`${JSON.stringify(name)} is not the name of a conversation`);
}

/** The other one of a private conversation; `undefined` for a group or an outsider. */
export function peerOf(name: string, me: string): string | undefined {
  const parsed = parseConversation(name);
  if (parsed.kind !== "private") return undefined;
  const [low, high] = parsed.users;
  if (low === me) return high;
  return high === me ? low : undefined;
}

function escape(id: string): string {
  const bytes = utf8.encode(id).length;
  if (bytes < 1 || bytes > ID_BYTES_MAX) {
    throw invalid(`an id has 1 to ${ID_BYTES_MAX} bytes; ${JSON.stringify(id)} has ${bytes}`);
  }
  return id.replaceAll("%", "%25").replaceAll("/", "%2F");
}

function unescape(text: string): string {
  return text.replaceAll("%2F", "/").replaceAll("%25", "%");
}

// JavaScript compares UTF-16 units, which order characters beyond the basic plane differently.
function compareBytes(a: string, b: string): number {
  const left = utf8.encode(a);
  const right = utf8.encode(b);
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}
