/** The live room: a door to choose one, then stage and talk side by side; on a phone, below it. */
import type { AnserClient } from "@anser-im/sdk";
import { type FormEvent, useContext, useState } from "react";

import { ConnectionBanner } from "./connection-banner.js";
import { LanguageContext, useWords } from "./i18n.js";
import { someoneElse } from "./identity.js";
import { Icon } from "./icons.js";
import { LivePeople } from "./live-people.js";
import { Seats, Stage } from "./live-stage.js";
import { Talk } from "./live-talk.js";
import { problemText, useLiveWords } from "./live-words.js";
import { Landscape, Logo } from "./logo.js";
import { useLive } from "./use-live.js";

/** The server's limit of a room's id, in bytes. */
const ROOM_BYTES_MAX = 64;

interface Props {
  me: string;
  client: AnserClient;
  /** Empty: to be chosen. */
  room: string;
  onRoom(room: string): void;
  /** Back to the conversations. */
  onLeave(): void;
  onSwitchLanguage(): void;
  onSignOut(): void;
}

export function LivePage(props: Props) {
  return (
    <div className="live">
      <ConnectionBanner client={props.client} onSignOut={props.onSignOut} />
      {props.room === "" ? <Door {...props} /> : <Inside key={props.room} {...props} />}
    </div>
  );
}

function Door({ onRoom, onLeave, onSwitchLanguage }: Props) {
  const words = useLiveWords();
  const { otherLanguage, otherLanguageLabel } = useWords();
  const [name, setName] = useState("");
  const room = name.trim();
  const fits = room !== "" && new TextEncoder().encode(room).length <= ROOM_BYTES_MAX;
  const enter = (event: FormEvent) => {
    event.preventDefault();
    if (fits) onRoom(room);
  };
  return (
    <main className="live-door">
      <Landscape />
      <form className="live-door-card" onSubmit={enter}>
        <header>
          <Logo />
          <button
            className="quiet"
            type="button"
            aria-label={otherLanguageLabel}
            onClick={onSwitchLanguage}
          >
            {otherLanguage}
          </button>
        </header>
        <h1>{words.doorTitle}</h1>
        <label htmlFor="live-room">{words.roomName}</label>
        <input
          id="live-room"
          value={name}
          placeholder={words.roomExample}
          autoFocus
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          onChange={(event) => setName(event.target.value)}
        />
        <p className="hint">{words.doorHint}</p>
        <div className="dialog-actions">
          <button className="quiet" type="button" onClick={onLeave}>
            {words.toChats}
          </button>
          <button className="primary" type="submit" disabled={!fits}>
            {words.enter}
          </button>
        </div>
      </form>
    </main>
  );
}

function Inside({ me, client, room, onRoom, onLeave }: Props) {
  const words = useLiveWords();
  const { secondWindow } = useWords();
  const language = useContext(LanguageContext);
  const { state, flying, problem, heart, enterAgain } = useLive(client, me, room);
  const [people, setPeople] = useState(false);
  const [trouble, setTrouble] = useState<string>();
  const other = someoneElse(me, language);
  const moderates = state.room?.moderators.includes(me) ?? false;
  const inRoom = state.room !== undefined && state.left === undefined;

  const attempt = (done: Promise<unknown>): void => {
    setTrouble(undefined);
    done.catch((error: unknown) => setTrouble(problemText(error, words)));
  };
  return (
    <main className="live-room" aria-busy={!state.room && problem === undefined}>
      <header className="live-header">
        <button className="round" type="button" aria-label={words.toChats} onClick={onLeave}>
          <Icon name="back" />
        </button>
        <h1>{state.room?.name || room}</h1>
        <span className="live-likes" data-likes={state.likes}>
          <Icon name="heart" />
          <span aria-hidden="true">{state.likes}</span>
          <span className="visually-hidden">{words.likes(state.likes)}</span>
        </span>
        <button
          className="live-count"
          type="button"
          disabled={!inRoom}
          data-count={state.memberCount ?? state.room?.memberCount ?? 0}
          onClick={() => setPeople(true)}
        >
          <Icon name="people" />
          {words.people(state.memberCount ?? state.room?.memberCount ?? 0)}
        </button>
      </header>
      <Stage flying={flying} />
      <Seats
        me={me}
        client={client}
        room={room}
        attributes={state.attributes}
        moderates={moderates}
        disabled={!inRoom}
        attempt={attempt}
      />
      <Talk
        me={me}
        client={client}
        room={room}
        state={state}
        trouble={trouble}
        onHeart={heart}
        onTrouble={setTrouble}
        attempt={attempt}
      />
      <a
        className="live-second"
        href={`#${new URLSearchParams({ as: other, live: room })}`}
        target="_blank"
        rel="noopener"
      >
        <Icon name="window" />
        {secondWindow(other)}
      </a>
      {!inRoom && (problem !== undefined || state.left) && (
        <div className="live-over" role="alert">
          <p>{state.left ? words.left[state.left.reason] : problemText(problem, words)}</p>
          {state.left?.reason === "removed" && state.left.extra && (
            <blockquote>{state.left.extra}</blockquote>
          )}
          <div className="live-over-actions">
            <button className="quiet" type="button" onClick={() => onRoom("")}>
              {words.otherRoom}
            </button>
            <button className="primary" type="button" onClick={enterAgain}>
              {words.again}
            </button>
          </div>
        </div>
      )}
      {!state.room && problem === undefined && (
        <p className="live-entering" role="status">
          {words.entering}
        </p>
      )}
      {people && inRoom && (
        <LivePeople
          me={me}
          client={client}
          room={room}
          state={state}
          moderates={moderates}
          onClose={() => setPeople(false)}
        />
      )}
    </main>
  );
}
