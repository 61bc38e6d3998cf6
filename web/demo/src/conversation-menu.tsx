/** The user's own settings of a conversation, the same on all of their devices. */
import type { AnserClient, Conversation } from "@anser-im/sdk";
import { useEffect, useRef, useState } from "react";

import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";

interface Props {
  client: AnserClient;
  row: Conversation;
  /** The other one of a private chat: is blocked, and how that is changed. */
  blocking: readonly [blocked: boolean, block: (blocked: boolean) => Promise<void>] | undefined;
  onProblem(problem: string): void;
  /** It is not in the list any more. */
  onGone(): void;
}

export function ConversationMenu({ client, row, blocking, onProblem, onGone }: Props) {
  const words = useWords();
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLSpanElement>(null);
  const { id, pinned, muted } = row;

  useEffect(() => {
    if (!open) return;
    const outside = (event: Event): void => {
      if (!frame.current?.contains(event.target as Node)) setOpen(false);
    };
    const escape = (event: KeyboardEvent): void => {
      if (event.key === "Escape") setOpen(false);
    };
    addEventListener("pointerdown", outside);
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("pointerdown", outside);
      removeEventListener("keydown", escape);
    };
  }, [open]);

  const act = (action: () => Promise<unknown>) => () => {
    setOpen(false);
    action().catch((error: Error) => onProblem(error.message));
  };
  const mute = muted === "none" ? "except-mentions" : "none";
  return (
    <span className="message-menu" ref={frame}>
      <button
        className="round"
        type="button"
        aria-label={words.conversationActions}
        title={words.conversationActions}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="more" />
      </button>
      {open && (
        <span className="menu menu-down" role="menu">
          <button
            type="button"
            role="menuitem"
            onClick={act(() => client.updateConversation(id, { pinned: !pinned }))}
          >
            {pinned ? words.unpin : words.pin}
          </button>
          <button
            type="button"
            role="menuitem"
            onClick={act(() => client.updateConversation(id, { muted: mute }))}
          >
            {muted === "none" ? words.mute : words.unmute}
          </button>
          {blocking && (
            <button type="button" role="menuitem" onClick={act(() => blocking[1](!blocking[0]))}>
              {blocking[0] ? words.unblock : words.block}
            </button>
          )}
          <button type="button" role="menuitem" onClick={act(() => client.clearHistory(id))}>
            {words.clearHistory}
          </button>
          <button
            type="button"
            role="menuitem"
            onClick={act(() => client.deleteConversation(id).then(onGone))}
          >
            {words.deleteConversation}
          </button>
        </span>
      )}
    </span>
  );
}
