/**
 * The user's feed: keeps the conversation list up to date with as little traffic as possible.
 *
 * The server numbers the changes of a user's rows (feed version). A device keeps the version of
 * its last complete sync and asks for what came after: once connected, when the server says so,
 * and whenever a version arrives that does not follow its own. A sync that stopped half way is
 * begun again from the old version, so nothing is passed over.
 *
 * While a sync runs, changes that arrive are remembered by their versions and judged at its end:
 * those it covers are done, those that follow it move the version on, and anything else means
 * another sync. Sans-IO: `ask` sends a request, `answered` takes the answer.
 */
import { create } from "@bufbuild/protobuf";

import {
  type Conversation as WireConversation,
  type ConversationPush,
  type MessagePage,
  type Sync,
  type SyncResult,
  OpenConversationSchema,
  SyncSchema,
} from "./gen/anser/client/v1/client_pb.js";

/** Changes remembered while a sync runs; more of them mean another sync. */
const PENDING_MAX = 200;

export interface FeedOut {
  ask(sync: Sync): void;
  /** Which conversations to name. */
  open(): { conversation: string; seq: bigint; rev: bigint }[];
  /** The list is void; with another epoch the messages' positions are, too. */
  reset(epochChanged: boolean): void;
  /** A row of the list; `first`: there was no position to go on from, everything is listed. */
  row(row: WireConversation, first: boolean): void;
  page(page: MessagePage): void;
  /** The list is complete. */
  complete(): void;
}

interface Running {
  readonly request: Sync;
  /** The list is being fetched whole. */
  first: boolean;
  readonly pushes: { readonly version: bigint; readonly previous: bigint }[];
  again: boolean;
}

export class Feed {
  readonly #out: FeedOut;
  #epoch = 0n;
  #version = 0n;
  #syncedTime = 0n;
  #running: Running | undefined;

  constructor(out: FeedOut) {
    this.#out = out;
  }

  /** A complete sync has been since the start or since the last reset. */
  get hasSynced(): boolean {
    return this.#syncedTime !== 0n || this.#version !== 0n;
  }

  /** What a later client goes on from; `undefined` before the first complete sync. */
  get saved(): { epoch: string; feedVersion: string; syncedTime: string } | undefined {
    if (!this.hasSynced) return undefined;
    const [epoch, feedVersion] = [String(this.#epoch), String(this.#version)];
    return { epoch, feedVersion, syncedTime: String(this.#syncedTime) };
  }

  /** Goes on from there. */
  restore(saved: { epoch: string; feedVersion: string; syncedTime: string }): void {
    this.#epoch = BigInt(saved.epoch);
    this.#version = BigInt(saved.feedVersion);
    this.#syncedTime = BigInt(saved.syncedTime);
  }

  get running(): boolean {
    return this.#running !== undefined;
  }

  /** Asks what is new. During a sync: once more after it. */
  start(): void {
    if (this.#running) {
      this.#running.again = true;
      return;
    }
    const open = this.#out.open().map((one) => create(OpenConversationSchema, one));
    const request = create(SyncSchema, {
      epoch: this.#epoch,
      feedVersion: this.#version,
      syncedTime: this.#syncedTime,
      open,
    });
    this.#running = { request, first: !this.hasSynced, pushes: [], again: false };
    this.#out.ask(request);
  }

  answered(result: SyncResult): void {
    const running = this.#running;
    if (!running) return;
    if (result.reset && running.request.cursor === "") {
      // A new device is told to start from nothing, which it does anyway.
      if (this.hasSynced) this.#out.reset(result.epoch !== this.#epoch);
      this.#version = 0n;
      this.#syncedTime = 0n;
      running.first = true;
    }
    this.#epoch = result.epoch;
    for (const row of result.conversations) this.#out.row(row, running.first);
    for (const page of result.pages) this.#out.page(page);
    if (result.cursor !== "") {
      running.request.cursor = result.cursor;
      this.#out.ask(running.request);
      return;
    }
    this.#running = undefined;
    this.#version = result.feedVersion;
    this.#syncedTime = result.syncedTime;
    this.#out.complete();
    const follows = running.pushes.every((push) => this.#follow(push));
    if (!follows || running.again) this.start();
  }

  /** The sync can't be completed on this connection. */
  abandoned(): void {
    this.#running = undefined;
  }

  pushed(push: ConversationPush): void {
    const step = { version: push.feedVersion, previous: push.feedPrevious };
    if (!this.#running) {
      if (!this.#follow(step)) this.start();
    } else if (this.#running.pushes.length < PENDING_MAX) {
      this.#running.pushes.push(step);
    } else {
      this.#running.again = true;
    }
  }

  /** The server told its version. */
  told(version: bigint): void {
    if (!this.#running && version !== this.#version) this.start();
  }

  #follow({ version, previous }: { version: bigint; previous: bigint }): boolean {
    if (version <= this.#version) return true;
    if (previous !== this.#version) return false;
    this.#version = version;
    return true;
  }
}
