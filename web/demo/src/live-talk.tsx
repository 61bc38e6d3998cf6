/** What is said in a live room, and the way to say something: words, gifts, likes. */
import type { AnserClient } from "@anser-im/sdk";
import { type FormEvent, useLayoutEffect, useRef, useState } from "react";

import { Avatar } from "./avatar.js";
import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";
import { GiftPicture } from "./live-gift.js";
import {
  GIFT,
  GIFTS,
  type Gift,
  LIKE,
  type LiveLine,
  type LiveState,
  silence,
} from "./live-state.js";
import { type LiveWords, useLiveWords } from "./live-words.js";

/** This near the bottom, in pixels, new lines are followed. */
const NEAR_PX = 60;
/** Longer words are no words any more. */
const TEXT_MAX = 200;
/** So long a moderator mutes from the list, in seconds. */
export const MUTE_SECONDS = 600;

interface Props {
  me: string;
  client: AnserClient;
  room: string;
  state: LiveState;
  trouble: string | undefined;
  onHeart(): void;
  onTrouble(trouble: string | undefined): void;
  attempt(done: Promise<unknown>): void;
}

export function Talk(props: Props) {
  const { me, client, room, state, trouble, attempt } = props;
  const words = useLiveWords();
  const list = useRef<HTMLDivElement>(null);
  const follows = useRef(true);
  const moderates = state.room?.moderators.includes(me) ?? false;

  useLayoutEffect(() => {
    const { current } = list;
    if (current && follows.current) current.scrollTop = current.scrollHeight;
  }, [state.lines]);

  const scrolled = () => {
    const { current } = list;
    if (!current) return;
    follows.current = current.scrollHeight - current.scrollTop - current.clientHeight < NEAR_PX;
  };
  return (
    <section className="live-talk">
      <div
        ref={list}
        className="live-lines"
        role="log"
        aria-label={words.messages}
        onScroll={scrolled}
      >
        {state.room && state.lines.length === 0 && <p className="hint">{words.quiet}</p>}
        {state.lines.map((line) => (
          <Line
            key={line.key}
            line={line}
            me={me}
            moderates={moderates}
            onTakeBack={(id) => attempt(client.recallRoomMessage(room, id))}
            onMute={(user) =>
              attempt(client.moderateRoom(room, { mute: [user], seconds: MUTE_SECONDS }, ""))
            }
          />
        ))}
      </div>
      {trouble && (
        <p className="live-trouble" role="alert">
          {trouble}
        </p>
      )}
      <Composer {...props} />
    </section>
  );
}

interface LineProps {
  line: LiveLine;
  me: string;
  moderates: boolean;
  onTakeBack(id: string): void;
  onMute(user: string): void;
}

function Line({ line, me, moderates, onTakeBack, onMute }: LineProps) {
  const words = useLiveWords();
  const [open, setOpen] = useState(false);
  if (line.kind === "missed") {
    return <p className="live-line live-line-quiet">{words.missed(line.count)}</p>;
  }
  if (line.kind === "notice") return <Notice line={line} />;
  const { id, sender, recalled } = line;
  if (recalled) return <p className="live-line live-line-quiet">{words.recalled(sender)}</p>;
  const mine = sender === me;
  return (
    <div className={`live-line live-line-${line.kind}`} data-said={id}>
      <Avatar name={sender} />
      <p>
        <b className={mine ? "live-mine" : undefined}>{sender}</b>
        {line.kind === "said" ? (
          <span className="live-text">{line.text}</span>
        ) : (
          <span className="live-gift">
            <GiftPicture gift={line.gift} />
            <span className="visually-hidden">
              {words.sentGift(sender, words.gifts[line.gift])}
            </span>
          </span>
        )}
      </p>
      {(mine || moderates) && (
        <button
          className="round live-more"
          type="button"
          aria-label={words.actions(sender)}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="more" />
        </button>
      )}
      {open && (
        <span className="live-actions">
          <button className="quiet" type="button" onClick={() => onTakeBack(id)}>
            {words.takeBack}
          </button>
          {!mine && (
            <button
              className="quiet"
              type="button"
              onClick={() => {
                setOpen(false);
                onMute(sender);
              }}
            >
              {words.mute}
            </button>
          )}
        </span>
      )}
    </div>
  );
}

function Notice({ line }: { line: LiveLine & { kind: "notice" } }) {
  const words = useLiveWords();
  const { listSeparator } = useWords();
  const { kind, operator, users, extra } = line.notice;
  const sentence = words.notices[kind](operator || words.theServer, users.join(listSeparator));
  return (
    <p className="live-line live-line-quiet live-line-notice">
      {sentence}
      {extra && `: ${extra}`}
    </p>
  );
}

function Composer({ me, client, room, state, onHeart, onTrouble, attempt }: Props) {
  const words = useLiveWords();
  const [text, setText] = useState("");
  const silent = silence(state, me);
  const disabled = !state.room || state.left !== undefined || silent !== undefined;

  const dropped = ({ dropped: lost }: { dropped: boolean }): void => {
    if (lost) onTrouble(words.dropped);
  };
  const say = (event: FormEvent) => {
    event.preventDefault();
    const said = text.trim();
    if (said === "" || disabled) return;
    setText("");
    attempt(client.sendToRoom(room, said, { tellDropped: true }).then(dropped));
  };
  const give = (gift: Gift) => {
    const content = { type: GIFT, body: JSON.stringify({ gift }) };
    attempt(client.sendToRoom(room, content, { tellDropped: true }).then(dropped));
  };
  const like = () => {
    onHeart();
    // Of many likes some may be dropped; nobody needs to know.
    attempt(client.sendToRoom(room, { type: LIKE, body: "" }, { priority: "low" }));
  };
  return (
    <form className="live-composer" onSubmit={say}>
      <input
        value={text}
        maxLength={TEXT_MAX}
        aria-label={words.say}
        placeholder={placeholder(words, silent)}
        autoComplete="off"
        disabled={disabled}
        onChange={(event) => setText(event.target.value)}
      />
      <button
        className="round accent"
        type="submit"
        aria-label={words.send}
        disabled={disabled || text.trim() === ""}
      >
        <Icon name="send" />
      </button>
      <span className="live-gifts" role="group" aria-label={words.gift}>
        {GIFTS.map((gift) => (
          <button
            key={gift}
            className="round"
            type="button"
            aria-label={`${words.gift}: ${words.gifts[gift]}`}
            title={words.gifts[gift]}
            disabled={disabled}
            onClick={() => give(gift)}
          >
            <GiftPicture gift={gift} />
          </button>
        ))}
      </span>
      <button
        className="round live-like"
        type="button"
        aria-label={words.like}
        title={words.like}
        disabled={disabled}
        onClick={like}
      >
        <Icon name="heart" />
      </button>
    </form>
  );
}

function placeholder(words: LiveWords, silent: "all" | "me" | undefined): string {
  if (silent === "me") return words.youAreMuted;
  return silent === "all" ? words.allMuted : words.say;
}
