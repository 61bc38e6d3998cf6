/**
 * The life of a connection, without sockets and clocks.
 *
 * ```text
 *   closed ──start──▶ connecting (token → socket → hello) ──welcome──▶ connected
 *     ▲                   ▲    │                                          │
 *     │ stop, 3xxx, 4xxx  │    └──── failure, silence, 1xxx, 2xxx ────────┤
 *     └───────────────────┴──────────────── waiting ◀─────────────────────┘
 * ```
 *
 * What happens is told by calling a method, with the time; what is to be done comes out of
 * `take()` as effects, in order. The driver carries them out, and calls `tick` when the time of
 * `deadline` has come. So every rule below is tested without waiting.
 *
 * Guarantees: Hello is the first request of a connection and alone in its frame. Items are passed
 * on in the order of arrival, and only those of the present connection. Nothing reconnects after
 * `stop`, a 3xxx or a 4xxx.
 */
import { create } from "@bufbuild/protobuf";

import { backoff } from "./backoff.js";
import { type AnserError, HEARTBEAT_MISSED, brokenProtocol, notReachable } from "./errors.js";
import {
  type ServerItem,
  type Welcome,
  HelloSchema,
  PingSchema,
  type Platform,
} from "./gen/anser/client/v1/client_pb.js";
import { HEARTBEAT_MAX_MS, Heartbeat } from "./heartbeat.js";
import { type Command, type Result, encodeRequest, errorFrom, safeNumber } from "./wire.js";

/** The only version of the protocol there is yet. */
const VERSION = 1;
/** Token, socket and welcome have each so long, in milliseconds. */
const STEP_TIMEOUT_MS = 10_000;
/** A connection that lived so long ends a row of failures, in milliseconds. */
const STABLE_MS = 10_000;
/** How long a suspicious connection has to prove that it lives, in milliseconds. */
const PROBE_MS = 3_000;
/** Requests in one frame, a limit of the protocol. */
const FRAME_REQUESTS_MAX = 64;
/** Frames are filled up to so many bytes; a larger request has a frame of its own. */
const FRAME_BYTES_AIM = 32 * 1024;

export interface Identity {
  readonly deviceId: string;
  readonly platform: Platform;
  readonly client: string;
}

export type Phase =
  | { readonly is: "closed"; readonly error: AnserError | undefined }
  | { readonly is: "token" | "socket" | "hello"; readonly until: number }
  | { readonly is: "connected"; readonly welcome: Welcome; readonly since: number }
  | { readonly is: "waiting"; readonly until: number; readonly error: AnserError };

export type ConnectionEffect =
  | { readonly do: "token"; readonly renew: boolean }
  | { readonly do: "open" }
  | { readonly do: "send"; readonly frame: Uint8Array }
  | { readonly do: "close" }
  /** The phase is another one now. */
  | { readonly do: "phase"; readonly phase: Phase }
  | { readonly do: "response"; readonly id: number; readonly result: Result }
  | { readonly do: "item"; readonly item: ServerItem["item"] }
  /** The feed version that a pong brought. */
  | { readonly do: "pong"; readonly feedVersion: bigint };

export class Connection {
  readonly #identity: Identity;
  #attempt: bigint;
  readonly #random: () => number;
  readonly #heartbeat = new Heartbeat();
  #effects: ConnectionEffect[] = [];
  #phase: Phase = { is: "closed", error: undefined };
  #failures = 0;
  #renew = false;
  #refused: { readonly token: string; readonly error: AnserError } | undefined;
  #token = "";
  #lastId = 0;
  #helloId = 0;
  #ping: { id: number; until: number; idle: boolean } | undefined;
  #nextPing = 0;
  #traffic = false;
  #outgoing: Uint8Array[] = [];
  #clockAhead = 0;

  /**
   * `bornAt`: Unix milliseconds when the client was made; its connections count up from there.
   */
  constructor(identity: Identity, random: () => number, bornAt: number) {
    this.#identity = identity;
    this.#attempt = BigInt(Math.max(0, Math.floor(bornAt)));
    this.#random = random;
  }

  get phase(): Phase {
    return this.#phase;
  }

  /** Connections that failed in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Add it to `now` for Unix milliseconds by the server's clock; 0 before the first welcome. */
  get clockAhead(): number {
    return this.#clockAhead;
  }

  /** When `tick` wants to be called; `undefined`: not before something else happens. */
  get deadline(): number | undefined {
    const phase = this.#phase;
    if (phase.is === "closed") return undefined;
    if (phase.is !== "connected") return phase.until;
    return this.#ping ? Math.min(this.#ping.until, this.#nextPing) : this.#nextPing;
  }

  get hasEffects(): boolean {
    return this.#effects.length > 0 || this.#outgoing.length > 0;
  }

  /** What is to be done, in order; forgets it. Requests made since are in one frame, if they fit. */
  take(): ConnectionEffect[] {
    this.#flush();
    const effects = this.#effects;
    this.#effects = [];
    return effects;
  }

  /** The application wants to be connected. */
  start(now: number): void {
    if (this.#phase.is !== "closed") return;
    this.#failures = 0;
    this.#refused = undefined;
    this.#fetchToken(now);
  }

  /** The application wants to be connected no more, or the server will have it no more. */
  stop(error?: AnserError): void {
    if (this.#phase.is === "closed") return;
    this.#flush();
    this.#effects.push({ do: "close" });
    this.#enter({ is: "closed", error });
  }

  tokenReady(token: string, now: number): void {
    if (this.#phase.is !== "token") return;
    if (token === this.#refused?.token) {
      this.stop(this.#refused.error);
      return;
    }
    this.#token = token;
    this.#renew = false;
    this.#enter({ is: "socket", until: now + STEP_TIMEOUT_MS });
    this.#effects.push({ do: "open" });
  }

  /** No token could be had; an error whose range is final ends it. */
  tokenFailed(error: AnserError, now: number): void {
    if (this.#phase.is === "token") this.#fail(error, now);
  }

  socketOpened(now: number): void {
    if (this.#phase.is !== "socket") return;
    this.#enter({ is: "hello", until: now + STEP_TIMEOUT_MS });
    const hello = create(HelloSchema, {
      versionMin: VERSION,
      versionMax: VERSION,
      token: this.#token,
      ...this.#identity,
      heartbeatSeconds: HEARTBEAT_MAX_MS / 1000,
      attempt: ++this.#attempt,
    });
    this.#helloId = this.#newId();
    const frame = encodeRequest(this.#helloId, { case: "hello", value: hello });
    this.#effects.push({ do: "send", frame });
  }

  socketClosed(reason: string, now: number): void {
    if (this.#inSocket()) this.#fail(notReachable(reason), now);
  }

  /** The items of one frame of the present socket. */
  received(items: readonly ServerItem[], now: number): void {
    for (const { item } of items) {
      if (!this.#inSocket()) return;
      if (this.#ping) this.#ping.until = Math.max(this.#ping.until, now + this.#heartbeat.pongWait);
      this.#receivedItem(item, now);
    }
  }

  /** The time of `deadline` has come. */
  tick(now: number): void {
    const phase = this.#phase;
    if (phase.is === "closed") return;
    if (phase.is === "waiting") {
      if (now >= phase.until) this.#fetchToken(now);
    } else if (phase.is !== "connected") {
      if (now >= phase.until) this.#fail(notReachable(`no answer (${phase.is})`), now);
    } else if (this.#ping && now >= this.#ping.until) {
      this.#heartbeat.lost();
      this.#fail(notReachable("no pong"), now);
    } else if (now >= this.#nextPing) {
      this.#sendPing(now, this.#heartbeat.pongWait);
    }
  }

  /** Something suggests that it is worth trying now: a network came up, the user asks. */
  retryNow(now: number): void {
    if (this.#phase.is === "waiting") this.#fetchToken(now);
    else this.probe(now);
  }

  /** Something suggests that the connection is dead: it has a short time to prove otherwise. */
  probe(now: number): void {
    if (this.#phase.is !== "connected") return;
    if (this.#ping) this.#ping.until = Math.min(this.#ping.until, now + PROBE_MS);
    else this.#sendPing(now, PROBE_MS);
  }

  /** The connection proved useless: drop it and make another. */
  restart(error: AnserError, now: number): void {
    if (this.#inSocket()) this.#fail(error, now);
  }

  /** Sends a request on the present connection; only while connected. */
  request(command: Command): number {
    if (this.#phase.is !== "connected") throw new Error("request() while not connected");
    const id = this.#newId();
    this.#traffic = true;
    this.#outgoing.push(encodeRequest(id, command));
    return id;
  }

  /** An error says something about the connection, whatever it came with. */
  heed(error: AnserError, now: number): void {
    if (this.#inSocket() && error.action !== "retry" && error.action !== "give-up") {
      this.#fail(error, now);
    }
  }

  #inSocket(): boolean {
    const is = this.#phase.is;
    return is === "socket" || is === "hello" || is === "connected";
  }

  #newId(): number {
    this.#lastId = this.#lastId >= 0xffff_ffff ? 1 : this.#lastId + 1;
    return this.#lastId;
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    if (phase.is !== "connected") {
      this.#outgoing = [];
      this.#ping = undefined;
    }
    this.#effects.push({ do: "phase", phase });
  }

  #fetchToken(now: number): void {
    this.#enter({ is: "token", until: now + STEP_TIMEOUT_MS });
    this.#effects.push({ do: "token", renew: this.#renew });
  }

  #fail(error: AnserError, now: number): void {
    const phase = this.#phase;
    if (phase.is === "connected" && now - phase.since >= STABLE_MS) this.#failures = 0;
    this.#failures += 1;
    if (error.code === HEARTBEAT_MISSED) this.#heartbeat.lost();
    const final =
      error.action === "signed-out" || (error.action === "give-up" && error.code >= 1000);
    if (final) {
      this.stop(error);
      return;
    }
    if (error.action === "renew-token") {
      this.#renew = true;
      this.#refused = { token: this.#token, error };
    }
    if (this.#inSocket()) this.#effects.push({ do: "close" });
    const wait = backoff(this.#failures, this.#random(), error.retryAfterMs);
    this.#enter({ is: "waiting", until: now + wait, error });
  }

  #receivedItem(item: ServerItem["item"], now: number): void {
    if (item.case === "close") {
      this.#fail(errorFrom(item.value.error), now);
    } else if (this.#phase.is === "hello") {
      if (item.case !== "response" || item.value.id !== this.#helloId) {
        throw brokenProtocol(`${item.case} before the welcome`);
      }
      this.#helloAnswered(item.value.result, now);
    } else if (item.case !== "response") {
      this.#traffic = true;
      this.#effects.push({ do: "item", item });
    } else if (item.value.id === this.#ping?.id && item.value.result.case === "pong") {
      this.#pongReceived(now);
      const { feedVersion, serverTime } = item.value.result.value;
      this.#clockAhead = safeNumber(serverTime) - now;
      this.#effects.push({ do: "pong", feedVersion });
    } else {
      const { id, result } = item.value;
      this.#traffic = true;
      this.#effects.push({ do: "response", id, result });
    }
  }

  #helloAnswered(result: Result, now: number): void {
    if (result.case === "error") {
      this.#fail(errorFrom(result.value), now);
    } else if (result.case === "welcome") {
      const welcome = result.value;
      this.#refused = undefined;
      this.#clockAhead = safeNumber(welcome.serverTime) - now;
      this.#heartbeat.honour(welcome.heartbeatSeconds * 1000);
      this.#nextPing = now + this.#heartbeat.interval;
      this.#traffic = false;
      this.#enter({ is: "connected", welcome, since: now });
    } else {
      throw brokenProtocol(`hello was answered with ${result.case}`);
    }
  }

  #sendPing(now: number, wait: number): void {
    const idle = !this.#traffic;
    const id = this.request({ case: "ping", value: create(PingSchema) });
    this.#ping = { id, until: now + wait, idle };
    // Not before the pong has come or its time is over; then it is set anew.
    this.#nextPing = Number.POSITIVE_INFINITY;
  }

  #pongReceived(now: number): void {
    if (this.#ping?.idle) this.#heartbeat.held();
    this.#ping = undefined;
    this.#traffic = false;
    this.#nextPing = now + this.#heartbeat.interval;
  }

  #flush(): void {
    let frame: Uint8Array[] = [];
    let bytes = 0;
    for (const request of this.#outgoing) {
      const full = frame.length === FRAME_REQUESTS_MAX || bytes + request.length > FRAME_BYTES_AIM;
      if (full && frame.length > 0) {
        this.#effects.push({ do: "send", frame: glue(frame, bytes) });
        frame = [];
        bytes = 0;
      }
      frame.push(request);
      bytes += request.length;
    }
    if (frame.length > 0) this.#effects.push({ do: "send", frame: glue(frame, bytes) });
    this.#outgoing = [];
  }
}

function glue(parts: readonly Uint8Array[], bytes: number): Uint8Array {
  const whole = new Uint8Array(bytes);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
