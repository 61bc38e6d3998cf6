/**
 * The local database as a client uses it, and what of it an application sees.
 *
 * It is opened when the client is made, before there is a connection: the conversation list, what
 * was outgoing and drafts are there at once, and older messages and search need no network. What
 * happens afterwards is written behind (`recorder.ts`); tabs share it (`tabs.ts`). If it can't be
 * opened, or fails later, the client goes on with what it has in memory, and says so once. So does
 * one that is signed in as somebody else while another tab writes the list: two users never share.
 */
import { AnserError } from "./errors.js";
import {
  type Change,
  type Database,
  type Draft,
  type Loaded,
  type MessageQuery,
  NOTHING,
  type SavedOutgoing,
  type SavedUpload,
  type SearchPage,
  type SearchQuery,
  type Stretch,
} from "./store/database.js";
import { MemoryDatabase } from "./store/memory.js";
import { Recorder } from "./store/recorder.js";
import type { Locks } from "./store/tabs.js";
import type { Message } from "./types.js";

/** The local database failed; nothing is kept from now on. */
export const LOCAL_DATABASE_FAILED = 530;
/** Other clients whose messages are taken over; more than there are tabs. */
const HOLDERS_MAX = 64;
/** Messages in one transaction of an import. */
const IMPORT_STEP = 200;

export interface LocalOut {
  /** Once, before anything else is called. */
  loaded(loaded: Loaded): void;
  /** Messages of a client that is gone are this one's to send. */
  adopted(outgoing: readonly SavedOutgoing[]): void;
  /** This client writes the list from now on: what is in it? */
  owned(): readonly Change[];
  /** Unix milliseconds by this device's clock. */
  wallClock(): number;
  failed(error: AnserError): void;
}

export class Local {
  /** Resolves when what was kept is there. */
  readonly ready: Promise<void>;
  readonly #out: LocalOut;
  readonly #name: string;
  readonly #holder: string;
  readonly #locks: Locks;
  readonly #drafts = new Map<string, Draft>();
  readonly #uploads = new Map<string, SavedUpload>();
  /** Conversations whose drafts were set before what was kept is there. */
  readonly #early = new Set<string>();
  readonly #stops: (() => void)[] = [];
  #database: Database;
  #recorder: Recorder;
  /** The shared database, when it is another user's and this client goes on without. */
  #others: Database | undefined;
  #open = false;
  #closed = false;

  /**
   * `name` is that of the database among tabs, `holder` that of this client. A database that
   * answers at once is open when this returns.
   */
  constructor(database: Database, name: string, holder: string, locks: Locks, out: LocalOut) {
    this.#database = database;
    this.#name = name;
    this.#holder = holder;
    this.#locks = locks;
    this.#out = out;
    this.#recorder = this.#newRecorder();
    const loaded = this.#load();
    this.ready = loaded instanceof Promise ? loaded : Promise.resolve();
  }

  get isOpen(): boolean {
    return this.#open;
  }

  /** The name under which this client's outgoing messages are kept. */
  get holder(): string {
    return this.#holder;
  }

  /** Stored messages of a conversation, ascending. */
  async messages(query: MessageQuery): Promise<readonly Message[]> {
    await this.ready;
    return this.#database.messages(query);
  }

  /** A stored message by the id that the server gave. */
  async message(id: string): Promise<Message | undefined> {
    await this.ready;
    return this.#database.message(id);
  }

  /** Finds text in stored messages, the newest first; a single Chinese character, too. */
  async search(query: SearchQuery): Promise<SearchPage> {
    await this.ready;
    return this.#database.search(query);
  }

  /**
   * Stores messages that the application has from elsewhere, such as an export of history. They
   * can be loaded and searched; a later state of a message that is here already stays.
   */
  async import(messages: readonly Message[]): Promise<void> {
    await this.ready;
    for (let i = 0; i < messages.length; i += IMPORT_STEP) {
      const step = messages.slice(i, i + IMPORT_STEP);
      const stored = this.write(step.map((message) => ({ put: "message", message })));
      if (stored && !(await stored)) throw storageFailed("the import was not stored");
    }
  }

  /** What the user had begun to write in a conversation. */
  draft(conversation: string): string {
    return this.#drafts.get(conversation)?.text ?? "";
  }

  /** All of them, those begun last first. */
  drafts(): readonly Draft[] {
    return [...this.#drafts.values()].sort((a, b) => b.time - a.time);
  }

  /** Keeps it; an empty one is forgotten. */
  setDraft(conversation: string, text: string, time = this.#out.wallClock()): void {
    if (this.#open && text === this.draft(conversation)) return;
    if (!this.#open) this.#early.add(conversation);
    if (text === "") {
      this.#drafts.delete(conversation);
      void this.write([{ remove: "draft", conversation }]);
    } else {
      const draft = { conversation, text, time };
      this.#drafts.set(conversation, draft);
      void this.write([{ put: "draft", draft }]);
    }
  }

  /** @internal Uploads that are not finished. */
  async uploads(): Promise<readonly SavedUpload[]> {
    await this.ready;
    return [...this.#uploads.values()];
  }

  /** @internal */
  keepUpload(upload: SavedUpload): void {
    this.#uploads.set(upload.key, upload);
    void this.write([{ put: "upload", upload }]);
  }

  /** @internal */
  forgetUpload(key: string): void {
    if (this.#uploads.delete(key)) void this.write([{ remove: "upload", key }]);
  }

  /** @internal Stored messages below `before`, or the newest, without a hole. */
  async stretch(
    conversation: string,
    before: number | undefined,
    limit: number,
  ): Promise<Stretch | undefined> {
    await this.ready;
    try {
      return await this.#database.stretch(conversation, before, limit);
    } catch (error) {
      // Then the server is asked, as if there were nothing.
      this.#recorder.fail(error);
      return undefined;
    }
  }

  /** @internal See `Recorder.write`. */
  write(changes: readonly Change[]): Promise<boolean> | undefined {
    if (this.#open) return this.#recorder.write(changes);
    return this.ready.then(() => this.#recorder.write(changes) ?? true);
  }

  /** @internal The database was taken away. */
  lost(error: unknown): void {
    if (!this.#others) this.#recorder.fail(error);
  }

  /** @internal Another user: nothing of the one before stays. */
  clear(): void {
    this.#drafts.clear();
    this.#uploads.clear();
    if (this.#recorder.owner) {
      void this.write([{ remove: "all" }]);
      return;
    }
    // The tab that owns it may be the other user's: nothing is read or written there any more.
    this.#others = this.#database;
    this.#database = new MemoryDatabase();
    this.#recorder = this.#newRecorder();
    this.#recorder.own(this.#out.owned());
    this.#out.failed(storageFailed("another tab has it, as another user"));
  }

  /** Lets go of the database. What was not sent is sent by the next client that opens it. */
  close(): void {
    this.#closed = true;
    for (const stop of this.#stops.splice(0)) stop();
    this.#database.close();
    this.#others?.close();
  }

  #load(): Promise<void> | undefined {
    let loaded: Promise<Loaded> | Loaded;
    try {
      loaded = this.#database.load();
    } catch (error) {
      return Promise.resolve().then(() => this.#unavailable(error));
    }
    if (!(loaded instanceof Promise)) {
      this.#loaded(loaded);
      return undefined;
    }
    return loaded.then(
      async (all) => {
        await this.#take(this.#holder);
        this.#loaded(all);
      },
      (error: unknown) => this.#unavailable(error),
    );
  }

  #loaded(loaded: Loaded): void {
    this.#open = true;
    for (const draft of loaded.drafts) {
      if (!this.#early.has(draft.conversation)) this.#drafts.set(draft.conversation, draft);
    }
    this.#early.clear();
    for (const upload of loaded.uploads) this.#uploads.set(upload.key, upload);
    this.#out.loaded(loaded);
    if (this.#closed) {
      this.#database.close();
      return;
    }
    void this.#take("owner").then((release) => this.#own(release));
    const holders = new Set(loaded.outgoing.map(({ holder }) => holder));
    holders.delete(this.#holder);
    for (const holder of [...holders].slice(0, HOLDERS_MAX)) void this.#succeed(holder);
  }

  #own(release: () => void): void {
    if (!this.#others) {
      this.#recorder.own(this.#out.owned());
      return;
    }
    // The other tab is gone, and the user that this one is for now empties what it left.
    void Promise.resolve(this.#others.write([{ remove: "all" }])).then(release, release);
  }

  /** Waits until that client is gone, and takes over what it left. */
  async #succeed(holder: string): Promise<void> {
    const release = await this.#take(holder);
    if (this.#closed) return;
    try {
      this.#out.adopted(await this.#database.adopt(holder, this.#holder));
    } catch (error) {
      this.#recorder.fail(error);
    }
    release();
  }

  #take(what: string): Promise<() => void> {
    return new Promise((resolve) => {
      let held = false;
      let stop = (): void => {};
      const done = (): void => {
        held = true;
        resolve(() => stop());
      };
      stop = this.#locks.take(`${this.#name} ${what}`, done);
      if (this.#closed && !held) stop();
      else this.#stops.push(stop);
    });
  }

  #unavailable(error: unknown): void {
    this.#database = new MemoryDatabase();
    this.#recorder = this.#newRecorder();
    this.#loaded(NOTHING);
    this.#out.failed(storageFailed(String(error)));
  }

  #newRecorder(): Recorder {
    return new Recorder(this.#database, (error) => {
      // Writing while closing may fail, and nobody is interested.
      if (!this.#closed) this.#out.failed(storageFailed(String(error)));
    });
  }
}

function storageFailed(detail: string): AnserError {
  return new AnserError(LOCAL_DATABASE_FAILED, "LOCAL_DATABASE_FAILED", detail);
}
