/**
 * How often to ping: as rarely as the path allows, since every ping wakes a phone's radio.
 *
 * The interval grows by a step whenever a whole interval of silence was survived, up to what the
 * server honours. A lost pong means that something on the path forgot the connection: the
 * interval is halved, and the one that failed is not tried again by this client. What was
 * learnt outlives the connection.
 */

const START_MS = 30_000;
const STEP_MS = 30_000;
const LEAST_MS = 15_000;
/** What the client asks the server to honour, and never exceeds, in milliseconds. */
export const HEARTBEAT_MAX_MS = 240_000;
/** A pong is awaited for half an interval but not longer than this: together below 1.5 intervals. */
const PONG_WAIT_MAX_MS = 10_000;

export class Heartbeat {
  #interval = START_MS;
  #most = HEARTBEAT_MAX_MS;
  #honoured = HEARTBEAT_MAX_MS;

  /** Milliseconds of silence before a ping. */
  get interval(): number {
    return Math.min(this.#interval, this.#honoured);
  }

  /** Milliseconds after which a ping without pong means a dead peer. */
  get pongWait(): number {
    return Math.min(this.interval / 2, PONG_WAIT_MAX_MS);
  }

  /** The server told what it honours on this connection. */
  honour(milliseconds: number): void {
    if (milliseconds > 0) this.#honoured = Math.min(milliseconds, HEARTBEAT_MAX_MS);
  }

  /** A whole interval passed without traffic, and the pong came. */
  held(): void {
    this.#interval = Math.min(this.interval + STEP_MS, this.#most);
  }

  /** The pong did not come. */
  lost(): void {
    this.#most = Math.max(LEAST_MS, this.interval - STEP_MS);
    this.#interval = Math.min(this.#most, Math.max(LEAST_MS, this.interval / 2));
  }
}
