/** The messages of a conversation: newest at the bottom, older ones loaded on the way up. */
import type {
  AnserClient,
  Message,
  Outgoing,
  Receipt,
  Timeline,
  TimelineSnapshot,
} from "@anser-im/sdk";
import { Fragment, useContext, useEffect, useLayoutEffect, useRef, useState } from "react";

import { Avatar } from "./avatar.js";
import { clockTime, contentLine, dayName, dayOf, noticeText, recallText } from "./format.js";
import { useNow } from "./hooks.js";
import { LanguageContext, useWords } from "./i18n.js";
import { Icon } from "./icons.js";
import { Media, Uploading, isMedia } from "./media.js";
import { MessageMenu, Reactions } from "./message-menu.js";
import type { Uploads } from "./use-uploads.js";

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
  client: AnserClient;
  /** How far the others are. */
  receipts: ReadonlyMap<string, Receipt>;
  uploads: Uploads;
  onEdit(message: Message): void;
  onProblem(problem: string): void;
}

export function Messages(props: Props) {
  const { me, title, timeline, shown, readBefore, online, client } = props;
  const words = useWords();
  const language = useContext(LanguageContext);
  const now = useNow(60_000);
  const { scroller, above, following, toEnd } = useScrolling(
    shown,
    timeline,
    props.uploads.all.length,
  );
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
                  client={client}
                  receipts={props.receipts}
                  onEdit={props.onEdit}
                  onProblem={props.onProblem}
                  continues={!newDay && message.seq !== firstNew && together(before, message)}
                />
              </Fragment>
            );
          })}
          {outgoing.map((one) => (
            <Unconfirmed
              key={one.clientMessageId}
              outgoing={one}
              client={client}
              timeline={timeline}
              online={online}
            />
          ))}
          <Uploading uploads={props.uploads} />
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
  if (before.state?.recall || message.state?.recall) return false;
  return before.sender === message.sender && message.time - before.time < TOGETHER_MS;
}

interface EntryProps {
  message: Message;
  me: string;
  client: AnserClient;
  receipts: ReadonlyMap<string, Receipt>;
  onEdit(message: Message): void;
  onProblem(problem: string): void;
  continues: boolean;
}

function Entry({ message, me, continues, client, receipts, onEdit, onProblem }: EntryProps) {
  const words = useWords();
  const language = useContext(LanguageContext);
  if (message.notice)
    return <li className="divider divider-notice">{noticeText(message, words, me)}</li>;
  if (message.state?.recall) {
    return (
      <li className="divider divider-notice" data-recalled={message.seq}>
        {recallText(message, words, me)}
      </li>
    );
  }
  const mine = message.sender === me;
  const menu = { me, client, message, onProblem };
  const classes = `message ${mine ? "message-mine" : "message-theirs"} ${continues ? "message-continues" : ""}`;
  return (
    <li className={classes} data-seq={message.seq}>
      {!mine && !continues && <Avatar name={message.sender} />}
      {!mine && !continues && <span className="message-sender">{message.sender}</span>}
      {mine && <span className="visually-hidden">{words.you}</span>}
      <span className="bubble-line">
        {isMedia(message.content) ? (
          <Media client={client} content={message.content} />
        ) : (
          <p className="bubble">{message.text ?? contentLine(message.content, words)}</p>
        )}
        <MessageMenu {...menu} onEdit={onEdit} />
      </span>
      <Reactions {...menu} />
      <span className="message-foot">
        {message.state?.edit && <span>{words.edited}</span>}
        <time dateTime={new Date(message.time).toISOString()}>
          {clockTime(message.time, language)}
        </time>
        {mine && <Ticks message={message} me={me} receipts={receipts} />}
      </span>
    </li>
  );
}

interface TicksProps {
  message: Message;
  me: string;
  receipts: ReadonlyMap<string, Receipt>;
}

/** One tick: the server has it. Two: it arrived; two coloured ones: somebody has read it. */
function Ticks({ message: { seq, conversation }, me, receipts }: TicksProps) {
  const words = useWords();
  const others = [...receipts.values()].filter(({ user }) => user !== me);
  const readers = others.filter(({ readSeq }) => readSeq >= seq).length;
  const arrived = others.some(({ deliveredSeq, readSeq }) => deliveredSeq >= seq || readSeq >= seq);
  const group = conversation.startsWith("g/");
  const readWord = group ? words.readBy(readers, others.length) : words.read;
  const label = readers > 0 ? readWord : arrived ? words.delivered : words.sent;
  return (
    <span
      className={readers > 0 ? "state state-read" : "state"}
      role="img"
      aria-label={label}
      title={label}
    >
      <Icon name={arrived ? "checks" : "check"} />
    </span>
  );
}

interface UnconfirmedProps {
  outgoing: Outgoing;
  client: AnserClient;
  timeline: Timeline;
  online: boolean;
}

function Unconfirmed({ outgoing, client, timeline, online }: UnconfirmedProps) {
  const words = useWords();
  const { clientMessageId, content, text, state, error } = outgoing;
  const failed = state === "failed";
  const waiting = online ? words.sending : words.waitingToSend;
  return (
    <li className={`message message-mine message-${state}`} data-state={state}>
      {isMedia(content) ? (
        <Media client={client} content={content} />
      ) : (
        <p className="bubble">{text ?? contentLine(content, words)}</p>
      )}
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
function useScrolling(shown: TimelineSnapshot, timeline: Timeline, uploading: number) {
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
  const sending = shown.outgoing.length + uploading;
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
