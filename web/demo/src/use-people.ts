/** Other people: who is there, and whom the user does not want to hear. */
import { type AnserClient, type Presence, peerOf } from "@anser-im/sdk";
import { createContext, useCallback, useContext, useEffect, useMemo, useState } from "react";

import { useStore } from "./hooks.js";

/** Whose presence is watched: of the newest private chats. */
const WATCHED_MAX = 100;
/** For so long, in seconds; a page that is open longer asks again when it reconnects. */
const WATCHED_FOR = 86_400;

export const PresenceContext = createContext<ReadonlyMap<string, Presence>>(new Map());

/** How somebody is, if it is known. */
export function usePresence(user: string | undefined): Presence | undefined {
  const all = useContext(PresenceContext);
  return user === undefined ? undefined : all.get(user);
}

/** Watches those with whom the user talks. */
export function useWatching(client: AnserClient, me: string): ReadonlyMap<string, Presence> {
  const rows = useStore(client.list);
  const [presences, setPresences] = useState<ReadonlyMap<string, Presence>>(new Map());
  const peers = useMemo(
    () =>
      rows
        .flatMap(({ id }) => peerOf(id, me) ?? [])
        .filter((peer) => peer !== me)
        .slice(0, WATCHED_MAX)
        .sort()
        .join("\n"),
    [rows, me],
  );

  useEffect(() => {
    const take = (news: readonly Presence[]): void =>
      setPresences(
        (before) => new Map([...before, ...news.map((one) => [one.user, one] as const)]),
      );
    const ask = (): void => {
      if (peers === "" || client.state.state !== "connected") return;
      // An app may have presence switched off; then nobody has a dot.
      client.subscribePresence(peers.split("\n"), WATCHED_FOR).then(take, () => {});
    };
    ask();
    const stops = [client.on("presence", (one) => take([one])), client.on("synced", ask)];
    return () => {
      for (const stop of stops) stop();
    };
  }, [client, peers]);
  return presences;
}

/** Is this user blocked, and a function that changes it. */
export function useBlocked(
  client: AnserClient,
  user: string | undefined,
): [blocked: boolean, block: (blocked: boolean) => Promise<void>] {
  const [blocked, setBlocked] = useState(false);
  useEffect(() => {
    if (user === undefined) return;
    let current = true;
    const look = async (): Promise<void> => {
      for (let cursor: string | undefined; cursor !== "";) {
        const page = await client.relations("blocked", { limit: 500, ...(cursor && { cursor }) });
        if (page.users.includes(user)) return void (current && setBlocked(true));
        cursor = page.cursor;
      }
      if (current) setBlocked(false);
    };
    const ask = (): void => {
      // The next sync asks again.
      if (client.state.state === "connected") look().catch(() => {});
    };
    ask();
    const stops = [
      client.on("synced", ask),
      client.on("relations", ({ list, added, removed }) => {
        if (list !== "blocked") return;
        if (added.includes(user)) setBlocked(true);
        if (removed.includes(user)) setBlocked(false);
      }),
    ];
    return () => {
      current = false;
      for (const stop of stops) stop();
    };
  }, [client, user]);

  const block = useCallback(
    async (wanted: boolean) => {
      if (user === undefined) return;
      await client.updateRelations("blocked", wanted ? { add: [user] } : { remove: [user] });
      setBlocked(wanted);
    },
    [client, user],
  );
  return [blocked, block];
}
