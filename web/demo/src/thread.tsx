/** One conversation: its head, its messages, and a place to write. */
import { type AnserClient, type Timeline, parseConversation } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { Avatar } from "./avatar.js";
import { Composer } from "./composer.js";
import { titleOf } from "./format.js";
import { GroupDetails } from "./group-details.js";
import { useConnection, useLooking, useStore } from "./hooks.js";
import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";
import { Messages } from "./messages.js";

interface Props {
  me: string;
  client: AnserClient;
  conversation: string;
  onBack(): void;
}

export function Thread(props: Props) {
  const { client, conversation } = props;
  const [timeline, setTimeline] = useState<Timeline>();
  useEffect(() => {
    const fresh = client.timeline(conversation);
    setTimeline(fresh);
    return () => fresh.close();
  }, [client, conversation]);
  return timeline ? <OpenThread {...props} timeline={timeline} /> : <main className="thread" />;
}

function OpenThread({
  me,
  client,
  conversation,
  timeline,
  onBack,
}: Props & { timeline: Timeline }) {
  const words = useWords();
  const row = useStore(client.list).find(({ id }) => id === conversation);
  const shown = useStore(timeline);
  const { state } = useConnection(client);
  const [details, setDetails] = useState(false);
  // Where reading had stopped when the conversation was opened: the mark stays while it is open.
  const [readBefore] = useState(() => (row && row.unread > 0 ? row.readSeq : undefined));

  const newest = shown.messages.at(-1)?.seq ?? 0;
  const looking = useLooking();
  const unread = row !== undefined && row.member && newest > row.readSeq && row.unread > 0;
  useEffect(() => {
    // What fails here is tried again with the next message, or on the next visit.
    if (looking && unread) client.markRead(conversation, newest).catch(() => {});
  }, [client, conversation, looking, newest, unread]);

  const parsed = parseConversation(conversation);
  const title = titleOf(conversation, row?.name ?? "", me, words);
  const member = row?.member ?? true;
  return (
    <main className="thread" aria-label={title}>
      <header className="thread-header">
        <button
          className="round thread-back"
          type="button"
          aria-label={words.back}
          onClick={onBack}
        >
          <Icon name="back" />
        </button>
        <Avatar name={title} group={parsed.kind === "group"} />
        <h2>{title}</h2>
        {parsed.kind === "group" && member && (
          <button
            className="round"
            type="button"
            aria-label={words.groupDetails}
            title={words.groupDetails}
            onClick={() => setDetails(true)}
          >
            <Icon name="people" />
          </button>
        )}
      </header>
      <Messages
        me={me}
        title={title}
        timeline={timeline}
        shown={shown}
        readBefore={readBefore}
        online={state === "connected"}
      />
      {member ? (
        <Composer label={words.writeTo(title)} onSend={(text) => timeline.send(text)} />
      ) : (
        <p className="thread-left">{words.noLonger}</p>
      )}
      {details && parsed.kind === "group" && (
        <GroupDetails
          me={me}
          client={client}
          groupId={parsed.group}
          title={title}
          onClose={() => setDetails(false)}
        />
      )}
    </main>
  );
}
