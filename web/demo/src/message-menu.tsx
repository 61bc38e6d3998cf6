/** What one can do with a message: react, edit, take back, delete. */
import type { AnserClient, Message } from "@anser-im/sdk";
import { useEffect, useRef, useState } from "react";

import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";

export const REACTIONS = ["👍", "❤️", "😄", "🎉", "🪿"] as const;

export interface MenuProps {
  me: string;
  client: AnserClient;
  message: Message;
  onEdit(message: Message): void;
  onProblem(problem: string): void;
}

export function MessageMenu({ me, client, message, onEdit, onProblem }: MenuProps) {
  const words = useWords();
  const [open, setOpen] = useState(false);
  const frame = useRef<HTMLSpanElement>(null);
  const { conversation, seq, sender, text, state } = message;
  const mine = sender === me;
  const recalled = state?.recall !== undefined;

  useEffect(() => {
    if (!open) return;
    const close = (event: Event): void => {
      if (event instanceof KeyboardEvent ? event.key === "Escape" : outside(event)) setOpen(false);
    };
    const outside = (event: Event): boolean => !frame.current?.contains(event.target as Node);
    addEventListener("pointerdown", close);
    addEventListener("keydown", close);
    return () => {
      removeEventListener("pointerdown", close);
      removeEventListener("keydown", close);
    };
  }, [open]);

  const act = (action: () => Promise<unknown> | void) => () => {
    setOpen(false);
    Promise.resolve(action()).catch((error: Error) => onProblem(error.message));
  };
  const reacted = (reaction: string): boolean =>
    state?.reactions.some((one) => one.reaction === reaction && one.users.includes(me)) ?? false;

  return (
    <span className="message-menu" ref={frame}>
      <button
        className="message-menu-button"
        type="button"
        aria-label={words.messageActions}
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Icon name="more" />
      </button>
      {open && (
        <span className="menu" role="menu">
          {!recalled && (
            <span className="menu-reactions">
              {REACTIONS.map((reaction) => (
                <button
                  key={reaction}
                  type="button"
                  role="menuitem"
                  aria-label={words.react(reaction)}
                  onClick={act(() =>
                    client.react(conversation, seq, reaction, { remove: reacted(reaction) }),
                  )}
                >
                  {reaction}
                </button>
              ))}
            </span>
          )}
          {mine && text !== undefined && !recalled && (
            <button type="button" role="menuitem" onClick={act(() => onEdit(message))}>
              {words.edit}
            </button>
          )}
          {mine && !recalled && (
            <button
              type="button"
              role="menuitem"
              onClick={act(() => client.recall(conversation, seq))}
            >
              {words.recall}
            </button>
          )}
          <button
            type="button"
            role="menuitem"
            onClick={act(() => client.deleteMessages(conversation, [seq]))}
          >
            {words.deleteForMe}
          </button>
        </span>
      )}
    </span>
  );
}

/** The reactions to a message; one's own are toggled by a click. */
export function Reactions({ me, client, message, onProblem }: Omit<MenuProps, "onEdit">) {
  const words = useWords();
  const { conversation, seq, state } = message;
  if (!state || state.reactions.length === 0) return null;
  return (
    <span className="reactions">
      {state.reactions.map(({ reaction, users }) => {
        const mine = users.includes(me);
        const toggle = () => {
          client
            .react(conversation, seq, reaction, { remove: mine })
            .catch((error: Error) => onProblem(error.message));
        };
        return (
          <button
            key={reaction}
            className={mine ? "reaction reaction-mine" : "reaction"}
            type="button"
            aria-pressed={mine}
            title={users.join(words.listSeparator)}
            onClick={toggle}
          >
            {reaction} {users.length}
          </button>
        );
      })}
    </span>
  );
}
