/** Where a scenario happens, and what steps are made of. */
import type { App, Server } from "../sdk/e2e/server.js";
import type { Actor, Names } from "./actors.js";
import type { Args } from "./scenarios.js";

/** How long a mute, a ban or a block of a scenario lasts unless it says so, in seconds. */
export const HOUR = 3_600;

export class Stage {
  readonly actors = new Map<string, Actor>();

  constructor(
    readonly server: Server,
    readonly app: App,
    readonly names: Names,
  ) {}

  /** The app that scenarios share, unless they have their own. */
  get shared(): App {
    return this.server.app;
  }

  actor(name: string): Actor {
    const actor = this.actors.get(name);
    if (!actor) throw new Error(`${name} is not among the devices`);
    return actor;
  }

  async leave(): Promise<void> {
    for (const actor of this.actors.values()) actor.leave();
  }
}

export type Command = (stage: Stage, args: Args, actor: Actor) => Promise<unknown>;

/** What an expectation sees and what it wants; equal when it holds. */
export type Look = (
  stage: Stage,
  args: Args,
  actor: Actor,
) => Promise<[seen: unknown, wanted: unknown]>;

/** Only those parts of what is seen that are wanted. */
export function part(
  seen: Record<string, unknown>,
  args: Args,
  ...but: string[]
): [unknown, unknown] {
  const keys = Object.keys(args).filter((key) => key !== "on" && !but.includes(key));
  const wanted = args as unknown as Record<string, unknown>;
  const pick = (of: Record<string, unknown>) => Object.fromEntries(keys.map((k) => [k, of[k]]));
  return [pick(seen), pick(wanted)];
}

/**
 * Data with the names in it as they are called here: `{user:ann}`, `{in:g/lake}`, `{room:hall}`,
 * `{media:m}`.
 */
export function named<T>(data: T, names: Names): T {
  const text = JSON.stringify(data) as string | undefined;
  return (
    text &&
    JSON.parse(
      text.replace(/\{(user|in|media|room):([^}]+)\}/g, (_, kind: string, id: string) => {
        if (kind === "media") return names.media(id);
        return kind === "in" ? names.conversation(id) : names.user(id);
      }),
    )
  );
}
