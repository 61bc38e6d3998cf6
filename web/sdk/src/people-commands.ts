/**
 * The commands about other people: whom this user hears (block list and allow list), and who is
 * there (presence). Presence is refused with `NOT_ALLOWED` unless the app has switched it on.
 */
import { create } from "@bufbuild/protobuf";

import type { PageOptions } from "./commands.js";
import {
  GetPresenceSchema,
  ListPresenceSubscriptionsSchema,
  ListRelationsSchema,
  SetPresenceStatusSchema,
  SubscribePresenceSchema,
  UpdateRelationsSchema,
} from "./gen/anser/client/v1/client_pb.js";
import { safeNumber } from "./numbers.js";
import type {
  Presence,
  PresenceSubscription,
  RelationList,
  RelationPage,
  RelationUpdate,
} from "./people-types.js";
import { presenceFrom, relationListTo, relationsFrom } from "./people-wire.js";
import { SystemCommands } from "./system-commands.js";

export abstract class PeopleCommands extends SystemCommands {
  /**
   * Changes one of the user's lists, on all devices. Once it resolves, it holds for every message
   * that is sent to the user in private; `allowOnly` within seconds.
   */
  async updateRelations(list: RelationList, update: RelationUpdate): Promise<void> {
    const { add = [], remove = [], allowOnly } = update;
    const value = create(UpdateRelationsSchema, {
      list: relationListTo(list),
      add: [...add],
      remove: [...remove],
      ...(allowOnly !== undefined && { allowOnly }),
    });
    await this.ask("question", { case: "updateRelations", value }, "done");
  }

  /** Who is on one of the user's lists. `limit`: 1–500, 100 unless told. */
  async relations(list: RelationList, options: PageOptions = {}): Promise<RelationPage> {
    const value = create(ListRelationsSchema, { list: relationListTo(list), ...options });
    return this.ask("question", { case: "listRelations", value }, "relations", relationsFrom);
  }

  /** Sets the user's own words, at most 256 bytes, for at most 30 days; empty takes them back. */
  async setPresenceStatus(status: string, seconds: number): Promise<void> {
    const value = create(SetPresenceStatusSchema, { status, seconds });
    await this.ask("question", { case: "setPresenceStatus", value }, "done");
  }

  /**
   * Has this user told of others, on all devices, by `presence` events: at most 100 at a time and
   * 1,000 in all, for at most 30 days; 0 seconds end it. Resolves with how they are now.
   */
  async subscribePresence(users: readonly string[], seconds: number): Promise<readonly Presence[]> {
    const value = create(SubscribePresenceSchema, { users: [...users], seconds });
    return this.ask("question", { case: "subscribePresence", value }, "presences", (list) =>
      list.presences.map(presenceFrom),
    );
  }

  /** How these users are now, at most 100, in this order. */
  async presence(users: readonly string[]): Promise<readonly Presence[]> {
    const value = create(GetPresenceSchema, { users: [...users] });
    return this.ask("question", { case: "getPresence", value }, "presences", (list) =>
      list.presences.map(presenceFrom),
    );
  }

  /** Of whom this user is told. */
  async presenceSubscriptions(): Promise<readonly PresenceSubscription[]> {
    const value = create(ListPresenceSubscriptionsSchema);
    const command = { case: "listPresenceSubscriptions", value } as const;
    return this.ask("question", command, "presenceSubscriptions", ({ subscriptions }) =>
      subscriptions.map(({ user, until }) => ({ user, until: safeNumber(until) })),
    );
  }
}
