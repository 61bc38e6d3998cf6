/**
 * Things of a conversation that the server numbers, and of which a client wants every one: changes
 * of messages (by `rev`), and the user's own deletions.
 *
 * A client keeps the number up to which it has all. A push comes with the number before it: if
 * that is not above the client's, the push follows and is applied; else something is missing and
 * is pulled, page by page, the push included. A row of the list or a page that tells a higher
 * number has the same effect. A conversation without a number is not followed: nothing of it is
 * known that could be out of date.
 */

/** Conversations followed; those unused for longest go first. More than a user has. */
const FOLLOWED_MAX = 6_000;
/** Pages pulled at a time for one conversation; beyond, what is known of it is given up. */
export const PAGES_MAX = 20;
/** Conversations that may be pulled at the same time. */
const PULLS_MAX = 4;

export interface VersionsOut {
  /** Ask for what comes after `from`; the answer comes back by `answered` or `failed`. */
  pull(conversation: string, from: number): void;
  /** More is missing than is worth fetching. */
  tooMany(conversation: string): void;
}

interface Followed {
  version: number;
  /** The highest that is known to exist. */
  target: number;
  pull: "none" | "queued" | "pulling";
  pages: number;
}

export class Versions {
  readonly #out: VersionsOut;
  readonly #followed = new Map<string, Followed>();
  readonly #unsaved = new Set<string>();
  readonly #queue: string[] = [];
  #pulling = 0;

  constructor(out: VersionsOut) {
    this.#out = out;
  }

  /** Up to where everything is known; `undefined`: it is not followed. */
  version(conversation: string): number | undefined {
    return this.#followed.get(conversation)?.version;
  }

  /** Follows it from here on, unless it is followed. */
  seed(conversation: string, version: number): void {
    if (this.#followed.has(conversation)) return;
    this.#followed.set(conversation, { version, target: version, pull: "none", pages: 0 });
    this.#unsaved.add(conversation);
    const [oldest] = this.#followed.keys();
    if (this.#followed.size > FOLLOWED_MAX && oldest !== undefined) this.#followed.delete(oldest);
  }

  /** A push: true if it is to be applied now. */
  follows(conversation: string, version: number, previous: number): boolean {
    const one = this.#followed.get(conversation);
    if (!one) return true;
    if (version <= one.version) return false;
    if (one.pull === "none" && previous <= one.version) {
      this.#move(conversation, one, version);
      return true;
    }
    this.told(conversation, version);
    return false;
  }

  /** There is such a version. */
  told(conversation: string, version: number): void {
    const one = this.#followed.get(conversation);
    if (!one || version <= one.version) return;
    one.target = Math.max(one.target, version);
    if (one.pull !== "none") return;
    one.pages = 0;
    this.#enqueue(conversation, one);
  }

  /** What was missed is not worth fetching: go on from here. */
  skipTo(conversation: string, version: number): void {
    const one = this.#followed.get(conversation);
    if (!one || version <= one.version) return;
    this.#move(conversation, one, version);
    this.#out.tooMany(conversation);
  }

  /** A page was applied; everything up to `version` is known. */
  answered(conversation: string, version: number, more: boolean): void {
    this.#pulling -= 1;
    const one = this.#followed.get(conversation);
    if (one?.pull === "pulling") {
      one.pull = "none";
      const moved = version > one.version;
      if (moved) this.#move(conversation, one, version);
      one.pages += 1;
      if (!moved && one.target > one.version) {
        // It was told of what it does not give: there is nothing to wait for.
        this.#move(conversation, one, one.target);
      } else if ((more || one.target > one.version) && one.pages >= PAGES_MAX) {
        this.skipTo(conversation, Math.max(one.target, one.version + 1));
      } else if (more || one.target > one.version) {
        this.#enqueue(conversation, one);
      }
    }
    this.#startQueued();
  }

  /** `gone`: there is nothing to be had any more. */
  failed(conversation: string, gone: boolean): void {
    this.#pulling -= 1;
    const one = this.#followed.get(conversation);
    if (gone) this.forget(conversation);
    else if (one) one.pull = "none";
    this.#startQueued();
  }

  /** No pull is under way any more; the next sync tells what there is. */
  connectionLost(): void {
    this.#queue.length = 0;
    this.#pulling = 0;
    for (const one of this.#followed.values()) one.pull = "none";
  }

  forget(conversation: string): void {
    this.#followed.delete(conversation);
  }

  forgetAll(): void {
    this.#followed.clear();
    this.#queue.length = 0;
  }

  /** Conversations whose version changed since the last call. */
  takeUnsaved(): readonly string[] {
    if (this.#unsaved.size === 0) return [];
    const changed = [...this.#unsaved];
    this.#unsaved.clear();
    return changed;
  }

  #move(conversation: string, one: Followed, version: number): void {
    one.version = version;
    one.target = Math.max(one.target, version);
    this.#unsaved.add(conversation);
    // At the end of the order of use.
    this.#followed.delete(conversation);
    this.#followed.set(conversation, one);
  }

  #enqueue(conversation: string, one: Followed): void {
    one.pull = "queued";
    this.#queue.push(conversation);
    this.#startQueued();
  }

  #startQueued(): void {
    while (this.#pulling < PULLS_MAX) {
      const conversation = this.#queue.shift();
      if (conversation === undefined) return;
      const one = this.#followed.get(conversation);
      if (one?.pull !== "queued") continue;
      one.pull = "pulling";
      this.#pulling += 1;
      this.#out.pull(conversation, one.version);
    }
  }
}
