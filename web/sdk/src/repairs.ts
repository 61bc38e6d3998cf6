/**
 * Requests that keep this side complete: syncs and pulls. They belong to the connection on which
 * they are made, since the next one begins with a sync of its own; an answer that comes later
 * changes nothing.
 */
import type { AnserError } from "./errors.js";
import { brokenProtocol } from "./errors.js";
import type { Job } from "./outbox.js";
import type { Command, Result } from "./wire.js";

export interface RepairsOut {
  add(job: Job): void;
  /** What failed though it was retried can only be repaired by another connection. */
  restart(error: AnserError): void;
}

type Value<C extends Result["case"]> = Extract<Result, { case: C }>["value"] & object;

export class Repairs {
  readonly #out: RepairsOut;
  /** Counts connections. */
  #generation = 0;

  constructor(out: RepairsOut) {
    this.#out = out;
  }

  connectionLost(): void {
    this.#generation += 1;
  }

  /** `failed` is called with whether there is nothing to be had any more. */
  ask<C extends Result["case"]>(
    command: Command,
    expected: C,
    done: (value: Value<C>) => void,
    failed: (gone: boolean) => void,
  ): void {
    const generation = this.#generation;
    this.#out.add({
      kind: "connection",
      command: () => command,
      done: (result) => {
        if (generation !== this.#generation) return;
        if (result.case !== expected) {
          throw brokenProtocol(`${command.case} was answered with ${result.case}`);
        }
        done(result.value as Value<C>);
      },
      failed: (error) => {
        if (generation !== this.#generation) return;
        const gone = error.action === "give-up" && error.code >= 1000;
        failed(gone);
        if (!gone) this.#out.restart(error);
      },
    });
  }
}
