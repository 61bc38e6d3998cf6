/**
 * Requests on their way: what was asked and is not answered yet, across connections.
 *
 * Rules, the same in every SDK of this server:
 *
 * - Jobs of one lane (a conversation) go out in the order in which they were added, several at a
 *   time, and again in that order after a loss. One that is refused for now holds back what has
 *   not gone out yet; until a job of the lane was answered well, there is one at a time, so that
 *   a server in trouble is not asked to take things in the wrong order. Lanes don't wait for one
 *   another.
 * - An answer is awaited for 10 s. Then the connection is taken for dead, and on the next one the
 *   job is sent once more, with the same ids. After another 10 s it fails with
 *   `SERVER_NOT_REACHABLE`. So does a job whose second connection was lost, too.
 * - A refusal that is to be retried (1xxx) is, with the same ids and within the same time; when
 *   that is over, the job fails with the refusal.
 * - A job that may wait and was never sent waits for a connection as long as one is being made.
 *
 * Every job ends in exactly one call of `done` or `failed`. Sans-IO: see `connection.ts`.
 */
import { backoff } from "./backoff.js";
import { AnserError, brokenProtocol, notReachable, overloaded } from "./errors.js";
import { type Command, type Result, errorFrom } from "./wire.js";

/** How long an answer is awaited, in milliseconds. */
export const ANSWER_TIMEOUT_MS = 10_000;
/** Jobs at a time, waiting and sent. */
export const JOBS_MAX = 512;
/**
 * Beyond them, for what repairs this side: a connection is of no use before its sync is complete,
 * so a full queue must not refuse that.
 */
const REPAIRS_MAX = 512;
/** Jobs of one connection that may be unanswered. */
const IN_FLIGHT_MAX = 64;
/** Jobs of one lane that may be unanswered. */
export const LANE_IN_FLIGHT_MAX = 16;
/** Lanes remembered as going well; one that is forgotten begins with one job at a time. */
const LANES_MAX = 256;
/** Bytes of content waiting, all jobs together. */
export const QUEUED_BYTES_MAX = 4 * 1024 * 1024;

export interface Job {
  /** Called at each transmission; `serverTime` is when the first one took place. */
  command(serverTime: number): Command;
  /** Jobs of the same lane are done one after the other. */
  readonly lane?: string;
  /** What it holds in memory. */
  readonly bytes?: number;
  /**
   * `message`: waits for a connection without limit, and is sent again once.
   * `question`: the same, but waiting counts as time.
   * `action`: may not be sent twice, since a second time would mean something else.
   * `connection`: belongs to the present connection and fails with it.
   */
  readonly kind: "message" | "question" | "action" | "connection";
  done(result: Result): void;
  failed(error: AnserError): void;
}

interface Entry {
  readonly job: Job;
  firstTry: number | undefined;
  /** The second and last period of waiting has begun. */
  last: boolean;
  until: number;
  /** Transmissions that ended with their connection. */
  losses: number;
  refusals: number;
  refusal: AnserError | undefined;
  notBefore: number;
  /** The request id, while it is sent and unanswered. */
  id: number | undefined;
}

/** What the outbox needs of the connection. */
export interface Carrier {
  /** `undefined` while not connected. */
  send(command: Command): number | undefined;
  serverTime(now: number): number;
}

export class Outbox {
  readonly #carrier: Carrier;
  readonly #random: () => number;
  #entries: Entry[] = [];
  readonly #inFlight = new Map<number, Entry>();
  /** Lanes whose last answer on this connection was a good one; the oldest first. */
  readonly #steady = new Set<string>();
  #bytes = 0;

  constructor(carrier: Carrier, random: () => number) {
    this.#carrier = carrier;
    this.#random = random;
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Takes a job, or fails it at once when there are too many. `pump` sends it. */
  add(job: Job, now: number): void {
    const bytes = job.bytes ?? 0;
    const max = job.kind === "connection" ? JOBS_MAX + REPAIRS_MAX : JOBS_MAX;
    if (this.#entries.length >= max || this.#bytes + bytes > QUEUED_BYTES_MAX) {
      job.failed(overloaded("too much is waiting to be sent"));
      return;
    }
    this.#bytes += bytes;
    const entry: Entry = {
      job,
      firstTry: undefined,
      last: false,
      until: job.kind === "message" ? Number.POSITIVE_INFINITY : now + ANSWER_TIMEOUT_MS,
      losses: 0,
      refusals: 0,
      refusal: undefined,
      notBefore: now,
      id: undefined,
    };
    // What repairs this side goes before what was waiting, so that less has to be repaired.
    if (job.kind === "connection") this.#entries.unshift(entry);
    else this.#entries.push(entry);
  }

  /** Sends what may be sent now. */
  pump(now: number): void {
    /** What is ahead in each lane, unanswered. */
    const ahead = new Map<string, number>();
    for (const entry of this.#entries) {
      const { lane } = entry.job;
      const before = lane === undefined ? 0 : (ahead.get(lane) ?? 0);
      const window = lane === undefined || this.#steady.has(lane) ? LANE_IN_FLIGHT_MAX : 1;
      const waits = entry.id === undefined && (before >= window || entry.notBefore > now);
      // What waits holds back what stands behind it.
      if (lane !== undefined) ahead.set(lane, waits ? LANE_IN_FLIGHT_MAX : before + 1);
      if (waits || entry.id !== undefined) continue;
      if (this.#inFlight.size >= IN_FLIGHT_MAX || !this.#transmit(entry, now)) return;
    }
  }

  /** An answer, to one of these jobs or not. Returns the error it brought. */
  answered(id: number, result: Result, now: number): AnserError | undefined {
    const entry = this.#inFlight.get(id);
    const error = result.case === "error" ? errorFrom(result.value) : undefined;
    if (entry && error) {
      this.#refused(entry, error, now);
    } else if (entry) {
      this.#remove(entry);
      this.#wentWell(entry.job.lane);
      try {
        entry.job.done(result);
      } catch (error) {
        // Not what was asked for. The job ends here; the caller sees to the connection.
        entry.job.failed(error instanceof AnserError ? error : brokenProtocol(String(error)));
        throw error;
      }
    }
    return error;
  }

  /** The connection is gone, and with it every answer that was awaited. */
  connectionLost(): void {
    this.#steady.clear();
    for (const entry of [...this.#entries]) {
      const { kind } = entry.job;
      if (kind === "connection") {
        this.#fail(entry, notReachable("the connection was lost"));
      } else if (entry.id !== undefined) {
        this.#withdraw(entry);
        entry.losses += 1;
        if (kind === "action")
          this.#fail(entry, notReachable("it may or may not have taken effect"));
        else if (entry.losses > 1) this.#fail(entry, notReachable("lost twice"));
      }
    }
  }

  /** When `tick` wants to be called. */
  deadline(connected: boolean): number | undefined {
    let earliest = Number.POSITIVE_INFINITY;
    for (const { until, notBefore, id, refusal } of this.#entries) {
      earliest = Math.min(earliest, until);
      if (connected && refusal && id === undefined) earliest = Math.min(earliest, notBefore);
    }
    return earliest === Number.POSITIVE_INFINITY ? undefined : earliest;
  }

  /** Ends what has waited too long. True: the connection does not answer and is to be replaced. */
  tick(now: number): boolean {
    let dead = false;
    for (const entry of [...this.#entries]) {
      if (now < entry.until) continue;
      const sent = entry.id !== undefined;
      dead ||= sent;
      if (entry.last || (sent && (entry.job.kind === "action" || entry.losses > 0))) {
        this.#fail(entry, entry.refusal ?? notReachable("no answer in time"));
      } else {
        entry.last = true;
        entry.until = now + ANSWER_TIMEOUT_MS;
      }
    }
    return dead;
  }

  /** Nothing will be sent any more: every job fails. */
  close(error: AnserError): void {
    for (const entry of [...this.#entries]) this.#fail(entry, error);
  }

  #transmit(entry: Entry, now: number): boolean {
    const serverTime = this.#carrier.serverTime(now);
    const id = this.#carrier.send(entry.job.command(entry.firstTry ?? serverTime));
    if (id === undefined) return false;
    entry.id = id;
    this.#inFlight.set(id, entry);
    if (entry.firstTry === undefined) {
      entry.firstTry = serverTime;
      entry.until = now + ANSWER_TIMEOUT_MS;
    } else if (entry.losses > 0 && !entry.last) {
      entry.last = true;
      entry.until = now + ANSWER_TIMEOUT_MS;
    }
    return true;
  }

  #wentWell(lane: string | undefined): void {
    if (lane === undefined || this.#steady.has(lane)) return;
    this.#steady.add(lane);
    const [oldest] = this.#steady;
    if (this.#steady.size > LANES_MAX && oldest !== undefined) this.#steady.delete(oldest);
  }

  #refused(entry: Entry, error: AnserError, now: number): void {
    this.#withdraw(entry);
    if (entry.job.lane !== undefined && error.action !== "give-up") {
      this.#steady.delete(entry.job.lane);
    }
    entry.refusals += 1;
    const wait = backoff(entry.refusals, this.#random(), error.retryAfterMs);
    const end = entry.last ? entry.until : entry.until + ANSWER_TIMEOUT_MS;
    if (error.action === "renew-token" || error.action === "signed-out") {
      // The connection ends over it; the job itself did nothing wrong.
      entry.refusal = error;
    } else if (error.action === "retry" && now + wait < end) {
      entry.refusal = error;
      entry.notBefore = now + wait;
    } else {
      this.#fail(entry, error);
    }
  }

  #withdraw(entry: Entry): void {
    if (entry.id !== undefined) this.#inFlight.delete(entry.id);
    entry.id = undefined;
  }

  #remove(entry: Entry): void {
    this.#withdraw(entry);
    this.#entries = this.#entries.filter((other) => other !== entry);
    this.#bytes -= entry.job.bytes ?? 0;
  }

  #fail(entry: Entry, error: AnserError): void {
    this.#remove(entry);
    entry.job.failed(error);
  }
}
