/** Being in a live room: enters it, stays, and leaves with the page. */
import type { AnserClient, RoomMessage } from "@anser-im/sdk";
import { useCallback, useEffect, useReducer, useRef, useState } from "react";

import { openRoom } from "./identity.js";
import { type Gift, LIKE, type LiveState, OUTSIDE, giftOf, live } from "./live-state.js";

/** So long something flies over the picture, in milliseconds. */
const FLIGHT_MS = 8_000;
const LANES = 5;
/** What flies at a time; more can't be read anyway. */
const FLYING_MAX = 40;
/** The newest messages that entering shows. */
const NEWEST = 30;
/** Longer than this no timer waits, in milliseconds. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface Flying {
  readonly key: number;
  readonly kind: "text" | "gift" | "heart";
  readonly text: string;
  readonly gift?: Gift | undefined;
  readonly lane: number;
}

export interface Live {
  readonly state: LiveState;
  readonly flying: readonly Flying[];
  /** Why it could not be entered. */
  readonly problem: unknown;
  enterAgain(): void;
  /** A heart of one's own, at once. */
  heart(): void;
}

export function useLive(client: AnserClient, me: string, room: string): Live {
  const [state, dispatch] = useReducer(live, OUTSIDE);
  const [problem, setProblem] = useState<unknown>();
  const [tries, setTries] = useState(0);
  const { flying, fly } = useFlying();
  const heart = useCallback(() => fly("heart", ""), [fly]);

  const look = useCallback(() => {
    client.room(room).then(
      (now) => dispatch({ kind: "room", me, room: now }),
      // What changed is told; the next change asks again.
      () => {},
    );
  }, [client, me, room]);

  useEffect(() => {
    let over = false;
    dispatch({ kind: "outside" });
    setProblem(undefined);
    const off = client.on("room", ({ room: where, news }) => {
      if (where !== room) return;
      dispatch(news);
      if (news.kind === "message") show(news.message, me, fly);
      const changed =
        news.kind === "notice" &&
        (news.notice.kind === "changed" || news.notice.users.includes(me));
      if (changed || news.kind === "missed") look();
    });
    const enter = async (): Promise<void> => {
      await openRoom(me, room);
      if (over) return;
      const joined = await client.joinRoom(room, { newest: NEWEST });
      if (!over) dispatch({ kind: "joined", me, ...joined });
    };
    enter().catch((error: unknown) => over || setProblem(error));
    return () => {
      over = true;
      off();
      // Whoever was put out is not in it; then there is nothing to leave.
      client.leaveRoom(room).catch(() => {});
    };
  }, [client, me, room, tries, fly, look]);

  const mutedUntil = state.room?.mutedUntil ?? 0;
  useEffect(() => {
    if (mutedUntil === 0) return;
    const wait = Math.max(0, mutedUntil - Date.now()) + 1_000;
    const timeout = setTimeout(look, Math.min(wait, TIMER_MAX_MS));
    return () => clearTimeout(timeout);
  }, [mutedUntil, look]);

  return { state, flying, problem, heart, enterAgain: () => setTries(tries + 1) };
}

type Fly = (kind: Flying["kind"], text: string, gift?: Gift) => void;

function show(message: RoomMessage, me: string, fly: Fly): void {
  const gift = giftOf(message);
  if (gift) fly("gift", message.sender, gift);
  else if (message.content.type === LIKE) {
    if (message.sender !== me) fly("heart", "");
  } else if (message.text) fly("text", message.text);
}

function useFlying(): { flying: readonly Flying[]; fly: Fly } {
  const [flying, setFlying] = useState<readonly Flying[]>([]);
  const last = useRef(0);
  const timeouts = useRef(new Set<ReturnType<typeof setTimeout>>());

  useEffect(() => {
    const all = timeouts.current;
    return () => {
      for (const timeout of all) clearTimeout(timeout);
      all.clear();
    };
  }, []);

  const fly = useCallback<Fly>((kind, text, gift) => {
    const key = ++last.current;
    const one = { key, kind, text, gift, lane: key % LANES };
    setFlying((before) => [...before, one].slice(-FLYING_MAX));
    const timeout = setTimeout(() => {
      timeouts.current.delete(timeout);
      setFlying((before) => before.filter((other) => other.key !== key));
    }, FLIGHT_MS);
    timeouts.current.add(timeout);
  }, []);
  return { flying, fly };
}
