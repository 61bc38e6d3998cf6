/** The messages of a conversation: newest at the bottom, older ones loaded on the way up. */
import type { Message, Outgoing, Timeline, TimelineSnapshot } from "@anser-im/sdk";
import { Fragment, useContext, useEffect, useLayoutEffect, useRef, useState } from "react";

import { Avatar } from "./avatar.js";
import { clockTime, dayName, dayOf, noticeText } from "./format.js";
import { useNow } from "./hooks.js";
import { LanguageContext, useWords } from "./i18n.js";
import { Icon } from "./icons.js";

/** Messages of one sender within this time stand together, in milliseconds. */
const TOGETHER_MS = 5 * 60_000;
/** This near the bottom, in pixels, new messages are followed. */
const NEAR_PX = 80;

interface Props {
  me: string;
  title: string;
  timeline: Timeline;
  shown: TimelineSnapshot;
  /** Messages above this were new when the conversation was opened. */
  readBefore: number | undefined;
  online: boolean;
}

export function Messages({ me, title, timeline, shown, readBefore, online }: Props) {
  const words = useWords();
  const language = useContext(LanguageContext);
  const now = useNow(60_000);
  const { scroller, above, following, toEnd } = useScrolling(shown, timeline);
  const { messages, outgoing, loading, loaded, hasOlder } = shown;
  const firstNew =
    readBefore === undefined
      ? undefined
      : messages.find(({ seq, sender, counted }) => seq > readBefore && counted && sender !== me)
          ?.seq;

  return (
    <div className="messages-frame">
      <div className="messages" ref={scroller} tabIndex={0} aria-label={title}>
        <div className="messages-top" ref={above}>
          {hasOlder && (
            <button
              className="quiet"
              type="button"
              disabled={loading}
              onClick={() => void timeline.loadOlder()}
            >
              {loading ? words.loading : words.loadOlder}
            </button>
          )}
          {!loaded && loading && <p className="hint">{words.loading}</p>}
          {loaded && !hasOlder && (
            <p className="hint">
              {messages.length > 0 ? words.beginning : words.saySomething(title)}
            </p>
          )}
        </div>
        <ol role="log" aria-live="polite" aria-relevant="additions">
          {messages.map((message, i) => {
            const before = messages[i - 1];
            const newDay = !before || dayOf(before.time) !== dayOf(message.time);
            return (
              <Fragment key={message.seq}>
                {newDay && (
                  <li className="divider">{dayName(message.time, now, words, language)}</li>
                )}
                {message.seq === firstNew && (
                  <li className="divider divider-new">{words.newMessages}</li>
                )}
                <Entry
                  message={message}
                  me={me}
                  continues={!newDay && message.seq !== firstNew && together(before, message)}
                />
              </Fragment>
            );
          })}
          {outgoing.map((one) => (
            <Unconfirmed
              key={one.clientMessageId}
              outgoing={one}
              timeline={timeline}
              online={online}
            />
          ))}
        </ol>
      </div>
      {!following && (
        <button
          className="to-end round"
          type="button"
          aria-label={words.latest}
          title={words.latest}
          onClick={toEnd}
        >
          <Icon name="down" />
        </button>
      )}
    </div>
  );
}

function together(before: Message | undefined, message: Message): boolean {
  if (!before || before.notice || message.notice) return false;
  return before.sender === message.sender && message.time - before.time < TOGETHER_MS;
}

interface EntryProps {
  message: Message;
  me: string;
  continues: boolean;
}

function Entry({ message, me, continues }: EntryProps) {
  const words = useWords();
  const language = useContext(LanguageContext);
  if (message.notice)
    return <li className="divider divider-notice">{noticeText(message, words, me)}</li>;
  const mine = message.sender === me;
  const classes = `message ${mine ? "message-mine" : "message-theirs"} ${continues ? "message-continues" : ""}`;
  return (
    <li className={classes} data-seq={message.seq}>
      {!mine && !continues && <Avatar name={message.sender} />}
      {!mine && !continues && <span className="message-sender">{message.sender}</span>}
      {mine && <span className="visually-hidden">{words.you}</span>}
      <p className="bubble">{message.text ?? words.unknownMessage(message.content.type)}</p>
      <span className="message-foot">
        <time dateTime={new Date(message.time).toISOString()}>
          {clockTime(message.time, language)}
        </time>
        {mine && (
          <span className="state" role="img" aria-label={words.sent} title={words.sent}>
            <Icon name="check" />
          </span>
        )}
      </span>
    </li>
  );
}

interface UnconfirmedProps {
  outgoing: Outgoing;
  timeline: Timeline;
  online: boolean;
}

function Unconfirmed({ outgoing, timeline, online }: UnconfirmedProps) {
  const words = useWords();
  const { clientMessageId, text, state, error } = outgoing;
  const failed = state === "failed";
  const waiting = online ? words.sending : words.waitingToSend;
  return (
    <li className={`message message-mine message-${state}`} data-state={state}>
      <p className="bubble">{text}</p>
      {failed ? (
        <span className="message-foot" role="alert">
          <Icon name="alert" />
          <span title={error?.message}>{words.failed}</span>
          <button type="button" onClick={() => timeline.retry(clientMessageId)}>
            {words.retry}
          </button>
          <button type="button" onClick={() => timeline.discard(clientMessageId)}>
            {words.discard}
          </button>
        </span>
      ) : (
        <span className="message-foot">
          <Icon name="clock" />
          {waiting}
        </span>
      )}
    </li>
  );
}

/** Follows the newest message unless the reader went up; keeps the place when older ones come. */
function useScrolling(shown: TimelineSnapshot, timeline: Timeline) {
  const scroller = useRef<HTMLDivElement>(null);
  const above = useRef<HTMLDivElement>(null);
  const [following, setFollowing] = useState(true);
  const followed = useRef(true);
  const before = useRef({ firstSeq: 0, fromEnd: 0 });
  const firstSeq = shown.messages[0]?.seq ?? 0;

  useEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const scrolled = (): void => {
      const fromEnd = element.scrollHeight - element.scrollTop;
      followed.current = fromEnd - element.clientHeight < NEAR_PX;
      before.current.fromEnd = fromEnd;
      setFollowing(followed.current);
    };
    element.addEventListener("scroll", scrolled, { passive: true });
    const resized = new ResizeObserver(() => {
      if (followed.current) element.scrollTop = element.scrollHeight;
    });
    resized.observe(element);
    return () => {
      element.removeEventListener("scroll", scrolled);
      resized.disconnect();
    };
  }, []);

  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return;
    const grewUpwards = before.current.firstSeq > 0 && firstSeq < before.current.firstSeq;
    if (followed.current) element.scrollTop = element.scrollHeight;
    else if (grewUpwards) element.scrollTop = element.scrollHeight - before.current.fromEnd;
    before.current = { firstSeq, fromEnd: element.scrollHeight - element.scrollTop };
  }, [shown, firstSeq]);

  // One's own message brings the reader back to the end.
  const sending = shown.outgoing.length;
  useEffect(() => {
    if (sending > 0 && scroller.current) scroller.current.scrollTop = scroller.current.scrollHeight;
  }, [sending]);

  useEffect(() => {
    const top = above.current;
    if (!top || !shown.loaded) return;
    const seen = new IntersectionObserver(
      ([entry]) => {
        if (entry?.isIntersecting && !shown.error) void timeline.loadOlder();
      },
      { root: scroller.current },
    );
    seen.observe(top);
    return () => seen.disconnect();
  }, [timeline, shown.loaded, shown.error, firstSeq]);

  const toEnd = (): void => {
    scroller.current?.scrollTo({ top: scroller.current.scrollHeight, behavior: "smooth" });
  };
  return { scroller, above, following, toEnd };
}
