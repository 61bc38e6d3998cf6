/**
 * Changes of messages that have not been delivered yet: a push that is held back by a gap, or a page
 * that was read before the change, has an older state of the message than is known here.
 */
import type { Message } from "./types.js";

/** Messages remembered; the oldest beyond are forgotten, and a pull brings them as they are. */
const AHEAD_MAX = 500;

export class Ahead {
  readonly #messages = new Map<string, Message>();

  keep(message: Message): void {
    const key = keyOf(message);
    this.#messages.delete(key);
    this.#messages.set(key, message);
    const [oldest] = this.#messages.keys();
    if (this.#messages.size > AHEAD_MAX && oldest !== undefined) this.#messages.delete(oldest);
  }

  /** The message in its latest state, which is not needed again. */
  latest(message: Message): Message {
    const key = keyOf(message);
    const known = this.#messages.get(key);
    if (!known) return message;
    this.#messages.delete(key);
    return newer(message, known);
  }

  clear(): void {
    this.#messages.clear();
  }
}

/** The one with the later state; the first of equals. */
export function newer(known: Message, other: Message): Message {
  return (other.state?.rev ?? 0) > (known.state?.rev ?? 0) ? other : known;
}

function keyOf({ conversation, seq }: Message): string {
  return `${seq} ${conversation}`;
}
