/**
 * The order of messages: what of each conversation was delivered, without a hole.
 *
 * A conversation has a position, the sequence up to which everything that the user may see was
 * delivered or knowingly passed over. A message comes with `prev`, the last visible sequence
 * before it: at or below the position there is no gap between, and the message is delivered;
 * above it something is missing, which is pulled first, ascending, until the server says that
 * there is no more. What arrives meanwhile is held, and what does not fit is pulled as well.
 *
 * Guarantee: of one conversation, `deliver` is called in ascending order, once per sequence; what
 * is not delivered though it existed is told by `skipped`. A conversation without a position gets
 * one from its row or from its first message, without its history being pulled.
 */
import type { MessagePage } from "./gen/anser/client/v1/client_pb.js";
import { historyFrom, safeNumber } from "./wire.js";
import type { Message, Skipped } from "./types.js";

/** Positions kept; those unused for longest go first. More than a user has conversations. */
export const POSITIONS_MAX = 6_000;
/** Messages held per conversation while what is before them is pulled. */
const HELD_MAX = 100;
/** Messages pulled to close one gap; what is beyond is skipped. */
export const CATCH_UP_MAX = 1_000;
/** Conversations that may be pulled at the same time. */
const PULLS_MAX = 8;
/** Conversations named in a sync, a limit of the protocol. */
const OPEN_MAX = 20;

export interface StreamsOut {
  /** `from`: what the user may see from there up to the message is known. */
  deliver(message: Message, from: number): void;
  /** There is nothing between these two, both included, that the user may see. */
  empty(conversation: string, from: number, to: number): void;
  skipped(skipped: Skipped): void;
  /** Ask for what comes after `from`; the answer comes back by `page` or `pullFailed`. */
  pull(conversation: string, from: number): void;
}

interface Stream {
  position: number;
  /** Where the position began: nothing up to here was delivered. */
  readonly seeded: number;
  /** Something was delivered or read here: worth naming in a sync. */
  used: boolean;
  gap: "none" | "queued" | "pulling";
  pulled: number;
  held: Map<number, { readonly message: Message; readonly prev: number }>;
  /** Something could not be held: pull once more after this. */
  again: boolean;
}

export class Streams {
  readonly #out: StreamsOut;
  /** In the order of use. */
  readonly #streams = new Map<string, Stream>();
  /** Positions that changed since they were taken for storing. */
  readonly #unsaved = new Set<string>();
  readonly #queue: string[] = [];
  #pulling = 0;

  constructor(out: StreamsOut) {
    this.#out = out;
  }

  position(conversation: string): number | undefined {
    return this.#streams.get(conversation)?.position;
  }

  /** This user's message was stored, and is delivered whatever is known of the conversation. */
  offerOwn(message: Message, prev: number): void {
    const stream = this.#streams.get(message.conversation);
    // The row already had it when the position began, which therefore passed it over.
    const passedOver = stream && stream.position === stream.seeded && message.seq <= stream.seeded;
    if (passedOver) this.#out.deliver(message, message.seq);
    else this.offer(message, prev);
  }

  /** A live message. */
  offer(message: Message, prev: number): void {
    const stream = this.#streams.get(message.conversation);
    if (!stream) {
      this.seed(message.conversation, message.seq - 1);
      this.offer(message, 0);
      return;
    }
    this.#touch(message.conversation, stream);
    if (message.seq <= stream.position) return;
    if (stream.gap === "none" && prev <= stream.position) {
      this.#deliver(stream, message);
      return;
    }
    if (stream.held.size < HELD_MAX) stream.held.set(message.seq, { message, prev });
    else stream.again = true;
    this.#startPull(message.conversation, stream);
  }

  /** Gives a conversation a position unless it has one. */
  seed(conversation: string, position: number): void {
    if (this.#streams.has(conversation)) return;
    this.#unsaved.add(conversation);
    this.#streams.set(conversation, {
      position,
      seeded: position,
      used: false,
      gap: "none",
      pulled: 0,
      held: new Map(),
      again: false,
    });
    for (const [oldest, { gap }] of this.#streams) {
      if (this.#streams.size <= POSITIONS_MAX) break;
      if (gap === "none") this.#streams.delete(oldest);
    }
  }

  /** Conversations whose position changed since the last call. */
  takeUnsaved(): readonly string[] {
    if (this.#unsaved.size === 0) return [];
    const changed = [...this.#unsaved].filter((conversation) => this.#streams.has(conversation));
    this.#unsaved.clear();
    return changed;
  }

  /** All conversations that have a position. */
  known(): readonly string[] {
    return [...this.#streams.keys()];
  }

  /** The application looks at it: prefer it in the next sync. */
  use(conversation: string): void {
    const stream = this.#streams.get(conversation);
    if (stream) this.#touch(conversation, stream);
  }

  /** There is a message of this sequence: fetch what is missing up to it. */
  catchUp(conversation: string, newest: number): void {
    const stream = this.#streams.get(conversation);
    if (stream && stream.position < newest) this.#startPull(conversation, stream);
  }

  /** Too much was missed: go on from here. */
  skipTo(conversation: string, position: number): void {
    const stream = this.#streams.get(conversation);
    if (stream) this.#skip(conversation, stream, position, "limit");
  }

  /** A page of what is missing, ascending from the position or below: of a pull or of a sync. */
  page(page: MessagePage, ofPull: boolean): void {
    const { conversation } = page;
    const stream = this.#streams.get(conversation);
    if (ofPull) this.#pulling -= 1;
    if (stream && (ofPull ? stream.gap === "pulling" : true)) {
      this.#apply(stream, page);
      if (ofPull || stream.gap === "none") this.#afterPage(conversation, stream, page);
    }
    this.#startQueued();
  }

  /** A pull has failed for good; `gone`: there is nothing to be had there any more. */
  pullFailed(conversation: string, gone: boolean): void {
    this.#pulling -= 1;
    const stream = this.#streams.get(conversation);
    if (gone) this.forget(conversation);
    else if (stream) stream.gap = "none";
    this.#startQueued();
  }

  /** No pull is under way any more; the sync of the next connection finds what is missing. */
  connectionLost(): void {
    this.#queue.length = 0;
    this.#pulling = 0;
    for (const stream of this.#streams.values()) this.#settle(stream);
  }

  /** The user has left, or positions are void. */
  forget(conversation: string): void {
    this.#streams.delete(conversation);
  }

  forgetAll(): void {
    this.#streams.clear();
    this.#queue.length = 0;
  }

  /** What a sync names: the conversations used last. */
  open(): { conversation: string; position: number }[] {
    return [...this.#streams]
      .filter(([, { used }]) => used)
      .slice(-OPEN_MAX)
      .map(([conversation, { position }]) => ({ conversation, position }));
  }

  #apply(stream: Stream, page: MessagePage): void {
    const { messages, headSeq, firstSeq, nextSeq: next } = historyFrom(page);
    const before = stream.position;
    if (firstSeq - 1 > before && headSeq > before) {
      this.#skip(page.conversation, stream, firstSeq - 1, "retention");
    }
    for (const message of messages) {
      if (message.seq <= stream.position) continue;
      stream.pulled += 1;
      this.#deliver(stream, message);
    }
    if (!page.more) {
      // Everything visible up to the head was in it, whatever the head itself is.
      if (headSeq > stream.position) {
        this.#out.empty(page.conversation, stream.position + 1, headSeq);
        this.#move(page.conversation, stream, headSeq);
      }
    } else {
      // Up to where the next page starts, only others may see what is not here.
      if (next > stream.position) {
        this.#out.empty(page.conversation, stream.position + 1, next);
        this.#move(page.conversation, stream, next);
      } else if (messages.length === 0) {
        // A server that promises more and gives nothing must not be asked for ever.
        this.#skip(page.conversation, stream, headSeq, "limit");
      }
    }
  }

  #afterPage(conversation: string, stream: Stream, page: MessagePage): void {
    const head = safeNumber(page.headSeq);
    if (page.more && stream.position < head) {
      if (stream.pulled < CATCH_UP_MAX) {
        this.#requeue(conversation, stream);
        return;
      }
      this.#skip(conversation, stream, head, "limit");
    }
    const again = stream.again;
    const held = this.#settle(stream);
    for (const { message, prev } of held) this.offer(message, prev);
    if (again && stream.gap === "none") this.#startPull(conversation, stream);
  }

  /** No gap is being closed any more; returns what was held, in order. */
  #settle(stream: Stream): { readonly message: Message; readonly prev: number }[] {
    const held = [...stream.held.values()].sort((a, b) => a.message.seq - b.message.seq);
    stream.gap = "none";
    stream.pulled = 0;
    stream.again = false;
    stream.held = new Map();
    return held;
  }

  #deliver(stream: Stream, message: Message): void {
    const from = stream.position + 1;
    this.#move(message.conversation, stream, message.seq);
    this.#out.deliver(message, from);
  }

  #move(conversation: string, stream: Stream, position: number): void {
    stream.position = position;
    this.#unsaved.add(conversation);
  }

  #skip(conversation: string, stream: Stream, to: number, reason: Skipped["reason"]): void {
    if (to <= stream.position) return;
    this.#out.skipped({ conversation, fromSeq: stream.position + 1, toSeq: to, reason });
    this.#move(conversation, stream, to);
  }

  #touch(conversation: string, stream: Stream): void {
    stream.used = true;
    this.#streams.delete(conversation);
    this.#streams.set(conversation, stream);
  }

  #startPull(conversation: string, stream: Stream): void {
    if (stream.gap === "none") this.#requeue(conversation, stream);
    this.#startQueued();
  }

  #requeue(conversation: string, stream: Stream): void {
    stream.gap = "queued";
    this.#queue.push(conversation);
  }

  #startQueued(): void {
    while (this.#pulling < PULLS_MAX) {
      const conversation = this.#queue.shift();
      if (conversation === undefined) return;
      const stream = this.#streams.get(conversation);
      if (stream?.gap !== "queued") continue;
      stream.gap = "pulling";
      this.#pulling += 1;
      this.#out.pull(conversation, stream.position);
    }
  }
}
