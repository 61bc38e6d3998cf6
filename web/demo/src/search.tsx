/** Finds messages: first what this device has, which needs no network, then what the server has. */
import type { AnserClient, Message } from "@anser-im/sdk";
import { useContext, useEffect, useState } from "react";

import { contentLine, shortTime, titleOf } from "./format.js";
import { LanguageContext, useWords } from "./i18n.js";

/** Messages listed of each, the newest. */
const FOUND_MAX = 30;
/** The server is asked when nothing was typed for so long, in milliseconds. */
const PAUSE_MS = 300;
/** Pages that are asked for: each looks at so many messages and no more. */
const PAGES_MAX = 10;

interface Props {
  me: string;
  client: AnserClient;
  text: string;
  now: number;
  onOpen(conversation: string): void;
}

/** `undefined`: still searching. */
type Found = readonly Message[] | undefined;

export function SearchResults({ me, client, text, now, onOpen }: Props) {
  const words = useWords();
  const [here, setHere] = useState<Found>();
  const [there, setThere] = useState<Found>();

  useEffect(() => {
    let current = true;
    client.local.search({ text, limit: FOUND_MAX }).then(
      ({ messages }) => current && setHere(messages),
      () => current && setHere([]),
    );
    setThere(undefined);
    const timeout = setTimeout(() => {
      const connected = client.state.state === "connected" && navigator.onLine;
      const ask = connected ? searchThere(client, text) : undefined;
      // Without a network there is what the device has.
      (ask ?? Promise.resolve([])).then(
        (messages) => current && setThere(messages),
        () => current && setThere([]),
      );
    }, PAUSE_MS);
    return () => {
      current = false;
      clearTimeout(timeout);
    };
  }, [client, text]);

  const known = new Set((here ?? []).map(({ id }) => id));
  const others = there?.filter(({ id }) => !known.has(id));
  const list = { me, client, now, onOpen };
  if (here?.length === 0 && others?.length === 0) {
    return <p className="rows-none hint">{words.nothingFound}</p>;
  }
  return (
    <>
      {here !== undefined && here.length > 0 && (
        <FoundList {...list} title={words.onDevice} messages={here} where="device" />
      )}
      {others === undefined && <p className="rows-none hint">{words.searching}</p>}
      {others !== undefined && others.length > 0 && (
        <FoundList {...list} title={words.onServer} messages={others} where="server" />
      )}
    </>
  );
}

async function searchThere(client: AnserClient, query: string): Promise<readonly Message[]> {
  const found: Message[] = [];
  let cursor = "";
  for (let i = 0; i < PAGES_MAX; i++) {
    const page = await client.searchMessages({ query, limit: FOUND_MAX, cursor });
    found.push(...page.messages);
    cursor = page.cursor;
    if (cursor === "" || found.length >= FOUND_MAX) break;
  }
  return found.sort((a, b) => b.time - a.time).slice(0, FOUND_MAX);
}

interface ListProps extends Omit<Props, "text"> {
  title: string;
  where: string;
  messages: readonly Message[];
}

function FoundList({ me, client, now, title: heading, where, messages, onOpen }: ListProps) {
  const words = useWords();
  const language = useContext(LanguageContext);
  return (
    <>
      <h3 className="found-title">{heading}</h3>
      <ul className="found" data-found={where}>
        {messages.map(({ id, conversation, sender, time, text, content }) => (
          <li key={id}>
            <button className="row" type="button" onClick={() => onOpen(conversation)}>
              <span className="row-title">
                {titleOf(conversation, client.list.get(conversation)?.name ?? "", me, words)}
              </span>
              <time className="row-time">{shortTime(time, now, language)}</time>
              <span className="row-preview">
                {sender === me ? words.you : sender}: {text ?? contentLine(content, words)}
              </span>
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
