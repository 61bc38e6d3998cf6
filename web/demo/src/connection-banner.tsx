/** Tells when something is wrong with the connection, what happens about it, and when. */
import type { AnserClient } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { useConnection, useNow, useOnline } from "./hooks.js";
import { useWords } from "./i18n.js";

const REPLACED = 4000;
/** Connecting is not worth a word before it takes so long, in milliseconds. */
const PATIENCE_MS = 800;

interface Props {
  client: AnserClient;
  onSignOut(): void;
}

export function ConnectionBanner({ client, onSignOut }: Props) {
  const words = useWords();
  const connection = useConnection(client);
  const online = useOnline();
  const waiting = connection.state === "waiting";
  const now = useNow(waiting ? 250 : undefined);
  const slow = useSlow(connection.state === "connecting");

  if (connection.state === "closed" && connection.error) {
    const why = connection.error.code === REPLACED ? words.replaced : words.ended;
    return (
      <div className="banner banner-ended" role="alert">
        <span>{why}</span>
        <button type="button" onClick={onSignOut}>
          {words.again}
        </button>
      </div>
    );
  }
  if (waiting) {
    const seconds = Math.max(0, Math.ceil((connection.retryAt - now) / 1000));
    return (
      <div className="banner banner-waiting" data-state="waiting">
        {/* Read out once, not every second. */}
        <span className="visually-hidden" role="status">
          {online ? words.waiting(seconds).split(/[.，]/)[0] : words.offline}
        </span>
        <span aria-hidden="true">{online ? words.waiting(seconds) : words.offline}</span>
        <button type="button" onClick={() => client.retryNow()}>
          {words.retryNow}
        </button>
      </div>
    );
  }
  if (slow) {
    return (
      <div className="banner banner-connecting" role="status">
        {online ? words.connecting : words.offline}
      </div>
    );
  }
  return null;
}

function useSlow(busy: boolean): boolean {
  const [slow, setSlow] = useState(false);
  useEffect(() => {
    setSlow(false);
    if (!busy) return;
    const timeout = setTimeout(() => setSlow(true), PATIENCE_MS);
    return () => clearTimeout(timeout);
  }, [busy]);
  return busy && slow;
}
