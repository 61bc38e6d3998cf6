/** Who is here, the conversation list, and the way to a second window. */
import { type AnserClient, type Conversation, peerOf } from "@anser-im/sdk";
import { useContext, useState } from "react";

import { Avatar } from "./avatar.js";
import { previewOfRow, shortTime, titleOf } from "./format.js";
import { useConnection, useNow, useStore } from "./hooks.js";
import { LanguageContext, useWords } from "./i18n.js";
import { invitationLink, someoneElse } from "./identity.js";
import { Icon } from "./icons.js";
import { useLiveWords } from "./live-words.js";
import { Logo } from "./logo.js";
import { SearchResults } from "./search.js";

interface Props {
  me: string;
  client: AnserClient;
  open: string | undefined;
  onOpen(conversation: string): void;
  onCompose(): void;
  onTalkTo(peer: string): void;
  onLive(): void;
  onSwitchLanguage(): void;
  onSignOut(): void;
}

export function Sidebar(props: Props) {
  const { me, client, open } = props;
  const words = useWords();
  const liveWords = useLiveWords();
  const language = useContext(LanguageContext);
  const rows = useStore(client.list);
  const { state } = useConnection(client);
  const now = useNow(60_000);
  const [text, setText] = useState("");
  const other = someoneElse(me, language);
  const stateWord = state === "connected" ? words.connected : words.connecting;

  return (
    <div className="sidebar">
      <header className="sidebar-header">
        <Logo />
        <button
          className="quiet"
          type="button"
          aria-label={words.otherLanguageLabel}
          onClick={props.onSwitchLanguage}
        >
          {words.otherLanguage}
        </button>
      </header>
      <div className="me">
        <Avatar name={me} />
        <span className="me-name">{me}</span>
        <span className={`dot dot-${state}`} role="img" aria-label={stateWord} title={stateWord} />
        <button
          className="round"
          type="button"
          aria-label={words.signOut}
          title={words.signOut}
          onClick={props.onSignOut}
        >
          <Icon name="leave" />
        </button>
      </div>
      <div className="sidebar-title">
        <h2 id="conversations">{words.conversations}</h2>
        <button
          className="round"
          type="button"
          aria-label={liveWords.live}
          title={liveWords.live}
          onClick={props.onLive}
        >
          <Icon name="live" />
        </button>
        <button
          className="round accent"
          type="button"
          aria-label={words.newChat}
          title={words.newChat}
          onClick={props.onCompose}
        >
          <Icon name="plus" />
        </button>
      </div>
      <search className="search">
        <input
          type="search"
          value={text}
          aria-label={words.search}
          placeholder={words.search}
          autoComplete="off"
          onChange={(event) => setText(event.target.value)}
        />
      </search>
      <nav className="rows" aria-labelledby="conversations">
        {text.trim() !== "" && (
          <SearchResults
            me={me}
            client={client}
            text={text.trim()}
            now={now}
            onOpen={props.onOpen}
          />
        )}
        {text.trim() === "" && rows.length === 0 && (
          <div className="rows-none">
            <p>{words.noConversations}</p>
            <p className="hint">{words.noConversationsHint}</p>
          </div>
        )}
        <ul hidden={text.trim() !== ""}>
          {rows.map((row) => (
            <li key={row.id}>
              <Row
                row={row}
                me={me}
                now={now}
                current={row.id === open}
                onOpen={() => props.onOpen(row.id)}
              />
            </li>
          ))}
        </ul>
      </nav>
      <a
        className="second-window"
        href={invitationLink(other, me)}
        target="_blank"
        rel="noopener"
        onClick={() => props.onTalkTo(other)}
      >
        <Icon name="window" />
        <span>
          {words.secondWindow(other)}
          <small>{words.secondWindowHint}</small>
        </span>
      </a>
    </div>
  );
}

interface RowProps {
  row: Conversation;
  me: string;
  now: number;
  current: boolean;
  onOpen(): void;
}

function Row({ row, me, now, current, onOpen }: RowProps) {
  const words = useWords();
  const language = useContext(LanguageContext);
  const title = titleOf(row.id, row.name, me, words);
  const isGroup = !row.id.startsWith("p/");
  const peer = peerOf(row.id, me);
  const classes = ["row", current && "row-current", !row.member && "row-left"]
    .filter(Boolean)
    .join(" ");
  return (
    <button
      className={classes}
      type="button"
      aria-current={current ? "true" : undefined}
      onClick={onOpen}
    >
      <Avatar name={title} group={isGroup} user={peer} />
      <span className="row-title">
        {title}
        {row.pinned && (
          <span className="row-sign" role="img" aria-label={words.pinned}>
            <Icon name="pin" />
          </span>
        )}
        {row.muted !== "none" && (
          <span className="row-sign" role="img" aria-label={words.muted}>
            <Icon name="mute" />
          </span>
        )}
      </span>
      <time className="row-time">{row.lastTime > 0 && shortTime(row.lastTime, now, language)}</time>
      <span className="row-preview">{previewOfRow(row, words, me)}</span>
      {(row.unread > 0 || row.unreadMentions > 0) && (
        <span className="badges">
          {row.unreadMentions > 0 && (
            <span className="badge badge-mention" data-mentions={row.unreadMentions}>
              <span aria-hidden="true">@</span>
              <span className="visually-hidden">{words.mentionsYou(row.unreadMentions)}</span>
            </span>
          )}
          {row.unread > 0 && (
            <span
              className={row.muted === "none" ? "badge" : "badge badge-muted"}
              data-unread={row.unread}
            >
              <span aria-hidden="true">{row.unread > 99 ? "99+" : row.unread}</span>
              <span className="visually-hidden">{words.unread(row.unread)}</span>
            </span>
          )}
        </span>
      )}
    </button>
  );
}
