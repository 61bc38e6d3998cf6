/**
 * The user's own messages that the server has not confirmed, or that were not seen in their place
 * yet: what a screen shows below the messages of a conversation. They outlive a timeline and, when
 * there is a database for it, the page.
 *
 * ```text
 *   storing ──▶ sending ──▶ sent ──▶ (seen as a message)
 *                  ▲ │
 *            retry │ ▼
 *                 failed ──▶ (discarded)
 * ```
 */
import { AnserError } from "./errors.js";
import type { SavedOutgoing } from "./store/database.js";
import type { Content, Message } from "./types.js";
import { textOf } from "./wire.js";

/** Messages that failed and wait for the user's decision; the oldest beyond are forgotten. */
export const FAILED_MAX = 200;
/** Messages that were stored and not yet seen; see above. */
const SENT_MAX = 512;

/** A message of the user's own that the server has not confirmed. */
export interface Outgoing {
  readonly conversation: string;
  readonly clientMessageId: string;
  readonly content: Content;
  /** The body of a text message. */
  readonly text: string | undefined;
  /**
   * `storing`: on its way into the local database. `sending`: it is there, if there is one, and
   * goes out as soon as it can. `sent`: stored by the server as `seq`; what stands before it in
   * the conversation is still to come.
   */
  readonly state: "storing" | "sending" | "sent" | "failed";
  readonly seq: number | undefined;
  readonly error: AnserError | undefined;
  /** Unix milliseconds by this device's clock. */
  readonly createdTime: number;
}

interface Entry {
  readonly saved: SavedOutgoing;
  readonly shown: Outgoing;
  /** It was handed to the connection. */
  readonly handed: boolean;
}

const NONE: readonly Outgoing[] = [];

export class OutgoingMessages {
  readonly #entries = new Map<string, Entry>();
  readonly #shown = new Map<string, readonly Outgoing[]>();
  readonly #listeners = new Set<(conversation: string) => void>();

  /** Calls `changed` after changes, until the function that is returned is called. */
  subscribe(changed: (conversation: string) => void): () => void {
    this.#listeners.add(changed);
    return () => this.#listeners.delete(changed);
  }

  /** Those of a conversation, in the order of sending. The same array until something changes. */
  of(conversation: string): readonly Outgoing[] {
    let shown = this.#shown.get(conversation);
    if (!shown) {
      const all = [...this.#entries.values()].map((entry) => entry.shown);
      shown = all.filter((one) => one.conversation === conversation);
      if (shown.length === 0) return NONE;
      this.#shown.set(conversation, shown);
    }
    return shown;
  }

  /** Messages on their way. */
  get pending(): number {
    let count = 0;
    for (const { shown } of this.#entries.values()) {
      if (shown.state === "storing" || shown.state === "sending") count += 1;
    }
    return count;
  }

  saved(conversation: string, clientMessageId: string): SavedOutgoing | undefined {
    return this.#entries.get(keyOf({ conversation, clientMessageId }))?.saved;
  }

  /** @internal Takes its place at the end. */
  put(saved: SavedOutgoing, state: Outgoing["state"], error?: AnserError): void {
    const key = keyOf(saved);
    const { conversation, clientMessageId, content, createdTime } = saved;
    const fields = { conversation, clientMessageId, content, createdTime, text: textOf(content) };
    if (state === "storing") this.#entries.delete(key);
    const shown = { ...fields, state, seq: undefined, error };
    this.#entries.set(key, { saved, shown, handed: false });
    this.#changed(conversation);
  }

  /** @internal It is handed to the connection. */
  transmitting(saved: SavedOutgoing): void {
    const entry = this.#entries.get(keyOf(saved));
    if (entry) this.#entries.set(keyOf(saved), { ...entry, handed: true });
  }

  /** @internal Those that are to be sent and were not handed to a connection, in their order. */
  waiting(): readonly SavedOutgoing[] {
    return [...this.#entries.values()]
      .filter(({ shown, handed }) => shown.state === "sending" && !handed)
      .map(({ saved }) => saved)
      .sort((a, b) => a.order - b.order);
  }

  /** @internal The server has it. */
  sent(saved: SavedOutgoing, seq: number): void {
    const key = keyOf(saved);
    const entry = this.#entries.get(key);
    if (!entry) return;
    this.#entries.set(key, { ...entry, shown: { ...entry.shown, state: "sent", seq } });
    this.#bound("sent", SENT_MAX);
    this.#changed(saved.conversation);
  }

  /** @internal Returns those that are forgotten over it. */
  failed(saved: SavedOutgoing, error: AnserError): readonly SavedOutgoing[] {
    if (!this.#entries.has(keyOf(saved))) return [];
    const failed = { code: error.code, name: error.codeName };
    this.put({ ...saved, failed }, "failed", error);
    return this.#bound("failed", FAILED_MAX);
  }

  /**
   * @internal A message is in its place. Nobody is told, since they are told of the message.
   */
  delivered({ conversation, clientMessageId, seq }: Message): void {
    for (const { saved, shown } of [...this.#entries.values()]) {
      if (saved.conversation !== conversation) continue;
      const before = shown.seq !== undefined && shown.seq <= seq;
      if (!before && saved.clientMessageId !== clientMessageId) continue;
      this.#entries.delete(keyOf(saved));
      this.#shown.delete(conversation);
    }
  }

  /** @internal */
  remove(conversation: string, clientMessageId: string): void {
    if (this.#entries.delete(keyOf({ conversation, clientMessageId }))) this.#changed(conversation);
  }

  /** @internal Those that are sent and were not seen won't be. */
  forgetSent(conversation: string): void {
    for (const { saved, shown } of [...this.#entries.values()]) {
      if (shown.state === "sent" && saved.conversation === conversation) {
        this.remove(conversation, saved.clientMessageId);
      }
    }
  }

  /** @internal Another user: everything. */
  clear(): void {
    const conversations = new Set(
      [...this.#entries.values()].map(({ saved }) => saved.conversation),
    );
    this.#entries.clear();
    for (const conversation of conversations) this.#changed(conversation);
  }

  #bound(state: Outgoing["state"], max: number): SavedOutgoing[] {
    const all = [...this.#entries.values()].filter(({ shown }) => shown.state === state);
    const dropped = all.slice(0, Math.max(0, all.length - max)).map(({ saved }) => saved);
    for (const one of dropped) this.remove(one.conversation, one.clientMessageId);
    return dropped;
  }

  #changed(conversation: string): void {
    this.#shown.delete(conversation);
    for (const listener of [...this.#listeners]) listener(conversation);
  }
}

function keyOf(one: { conversation: string; clientMessageId: string }): string {
  return `${one.conversation}\n${one.clientMessageId}`;
}
