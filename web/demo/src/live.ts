/** What others do in a conversation right now, and how far they have read it. */
import type { AnserClient, Receipt } from "@anser-im/sdk";
import { useCallback, useEffect, useRef, useState } from "react";

import { useConnection } from "./hooks.js";

/** The type of the transient messages that say that somebody is typing. */
const TYPING = "demo.typing";
/** Somebody who is typing says so this often at most, in milliseconds. */
const TYPING_EVERY_MS = 3_000;
/** Who has not said so for so long is not typing any more, in milliseconds. */
const TYPING_FOR_MS = 5_000;

/** Messages that arrive within this time are confirmed together, in milliseconds. */
const DELIVERED_AFTER_MS = 300;

/** Who is typing, and a function that says that this user is. */
export function useTyping(client: AnserClient, conversation: string) {
  const [typing, setTyping] = useState<readonly string[]>([]);
  const last = useRef(0);

  useEffect(() => {
    const timeouts = new Map<string, ReturnType<typeof setTimeout>>();
    const stop = (user: string): void => {
      clearTimeout(timeouts.get(user));
      timeouts.delete(user);
      setTyping([...timeouts.keys()]);
    };
    const stops = [
      client.on("transient", ({ conversation: where, sender, content }) => {
        if (where !== conversation || content.type !== TYPING || sender === client.userId) return;
        clearTimeout(timeouts.get(sender));
        timeouts.set(
          sender,
          setTimeout(() => stop(sender), TYPING_FOR_MS),
        );
        setTyping([...timeouts.keys()]);
      }),
      client.on("message", (message) => {
        if (message.conversation === conversation) stop(message.sender);
      }),
    ];
    return () => {
      for (const off of stops) off();
      for (const timeout of timeouts.values()) clearTimeout(timeout);
    };
  }, [client, conversation]);

  const tell = useCallback(() => {
    const now = Date.now();
    if (now - last.current < TYPING_EVERY_MS) return;
    last.current = now;
    // Whoever misses it misses nothing.
    client.sendTransient(conversation, { type: TYPING, body: "" }).catch(() => {});
  }, [client, conversation]);

  return { typing, tell };
}

/** Tells the other side of private chats that their messages arrived. */
export function useDelivering(client: AnserClient): void {
  useEffect(() => {
    const arrived = new Map<string, number>();
    let timeout: ReturnType<typeof setTimeout> | undefined;
    const flush = (): void => {
      timeout = undefined;
      for (const [conversation, seq] of arrived) {
        // Reading says it as well; what fails is not worth a retry.
        client.markDelivered(conversation, seq).catch(() => {});
      }
      arrived.clear();
    };
    const off = client.on("message", ({ conversation, seq, sender }) => {
      if (!conversation.startsWith("p/") || sender === client.userId) return;
      arrived.set(conversation, seq);
      timeout ??= setTimeout(flush, DELIVERED_AFTER_MS);
    });
    return () => {
      off();
      clearTimeout(timeout);
    };
  }, [client]);
}

/** How far the others are, by user. */
export function useReceipts(client: AnserClient, conversation: string, known: boolean) {
  const [receipts, setReceipts] = useState<ReadonlyMap<string, Receipt>>(new Map());
  const { state } = useConnection(client);

  useEffect(() => {
    const take = (news: readonly Receipt[]): void =>
      setReceipts((before) => {
        const all = new Map(before);
        for (const one of news) {
          const had = all.get(one.user);
          all.set(one.user, {
            user: one.user,
            deliveredSeq: Math.max(had?.deliveredSeq ?? 0, one.deliveredSeq),
            readSeq: Math.max(had?.readSeq ?? 0, one.readSeq),
          });
        }
        return all;
      });
    const off = client.on("receipts", (push) => {
      if (push.conversation === conversation) take(push.receipts);
    });
    if (state === "connected" && known) {
      client.receipts(conversation).then(
        (page) => take(page.receipts),
        // The next push tells.
        () => {},
      );
    }
    return off;
  }, [client, conversation, state, known]);

  return receipts;
}
