/** Finds what this device has of all conversations. It needs no network. */
import type { AnserClient, Message } from "@anser-im/sdk";
import { useContext, useEffect, useState } from "react";

import { shortTime, titleOf } from "./format.js";
import { LanguageContext, useWords } from "./i18n.js";

/** Messages listed, the newest. */
const FOUND_MAX = 30;

interface Props {
  me: string;
  client: AnserClient;
  text: string;
  now: number;
  onOpen(conversation: string): void;
}

export function SearchResults({ me, client, text, now, onOpen }: Props) {
  const words = useWords();
  const language = useContext(LanguageContext);
  const [found, setFound] = useState<readonly Message[]>();

  useEffect(() => {
    let current = true;
    client.local.search({ text, limit: FOUND_MAX }).then(
      ({ messages }) => current && setFound(messages),
      () => current && setFound([]),
    );
    return () => {
      current = false;
    };
  }, [client, text]);

  if (found?.length === 0) return <p className="rows-none hint">{words.nothingFound}</p>;
  return (
    <ul className="found">
      {(found ?? []).map((message) => {
        const { id, conversation, sender, time } = message;
        const title = titleOf(conversation, client.list.get(conversation)?.name ?? "", me, words);
        return (
          <li key={id}>
            <button className="row" type="button" onClick={() => onOpen(conversation)}>
              <span className="row-title">{title}</span>
              <time className="row-time">{shortTime(time, now, language)}</time>
              <span className="row-preview">
                {sender === me ? words.you : sender}: {message.text}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
