/** One conversation: its head, its messages, and a place to write. */
import {
  type AnserClient,
  type Message,
  type Timeline,
  parseConversation,
  peerOf,
} from "@anser-im/sdk";
import { type DragEvent, useEffect, useRef, useState } from "react";

import { Avatar } from "./avatar.js";
import { Composer } from "./composer.js";
import { ConversationMenu } from "./conversation-menu.js";
import { mentionIn, titleOf } from "./format.js";
import { GroupDetails } from "./group-details.js";
import { useConnection, useLooking, useStore } from "./hooks.js";
import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";
import { Invitation } from "./invitation.js";
import { useReceipts, useTyping } from "./live.js";
import { Messages } from "./messages.js";
import { TalkDetails } from "./talk-details.js";
import { useGroup } from "./use-group.js";
import { useBlocked, usePresence } from "./use-people.js";
import { useUploads } from "./use-uploads.js";

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
  const [editing, setEditing] = useState<Message>();
  const [problem, setProblem] = useState<string>();
  const { typing, tell } = useTyping(client, conversation);
  const receipts = useReceipts(client, conversation, row !== undefined);
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
  const [group] = useGroup(
    client,
    parsed.kind === "group" && row?.member ? parsed.group : undefined,
  );
  const peer = peerOf(conversation, me);
  const other = peer === me ? undefined : peer;
  const presence = usePresence(other);
  const blocking = useBlocked(client, other);
  const uploads = useUploads(client, conversation, setProblem);
  const [dropping, setDropping] = useState(false);
  const drag = (event: DragEvent): void => {
    if (!event.dataTransfer.types.includes("Files")) return;
    event.preventDefault();
    setDropping(event.type === "dragover");
    if (event.type === "drop") uploads.add(event.dataTransfer.files);
  };
  const failed = (error: Error): void => setProblem(error.message);
  const mention = async (text: string) => {
    if (parsed.kind === "private" || !text.includes("@")) return undefined;
    const { members } =
      parsed.kind === "group"
        ? await client.groupMembers(parsed.group, { limit: 500 })
        : await client.conversationMembers(conversation, { limit: 500 });
    return mentionIn(
      text,
      members.map(({ userId }) => userId),
    );
  };
  // One after the other, so that none overtakes another whose members are being looked up.
  const sending = useRef(Promise.resolve());
  const send = (text: string): void => {
    sending.current = sending.current.then(() => sendNow(text)).catch(failed);
  };
  const sendNow = async (text: string): Promise<void> => {
    setProblem(undefined);
    if (editing) {
      setEditing(undefined);
      try {
        await client.edit(conversation, editing.seq, text, await mention(text));
      } catch (error) {
        // What was written comes back, unless another message is being edited by now.
        setEditing((other) => other ?? { ...editing, text });
        throw error;
      }
      return;
    }
    // Without a connection nobody can be looked up: the message waits, and mentions nobody. So it
    // does when looking up fails; it goes all the same.
    const online = client.state.state === "connected";
    const whom = online ? await mention(text).catch(() => undefined) : undefined;
    timeline.send(text, whom ? { mention: whom } : {});
  };
  const title = titleOf(conversation, row?.name ?? "", me, words);
  const member = row?.member ?? true;
  return (
    <main
      className={dropping ? "thread thread-dropping" : "thread"}
      aria-label={title}
      data-drop={words.dropHere}
      onDragOver={member ? drag : undefined}
      onDragLeave={() => setDropping(false)}
      onDrop={member ? drag : undefined}
    >
      <header className="thread-header">
        <button
          className="round thread-back"
          type="button"
          aria-label={words.back}
          onClick={onBack}
        >
          <Icon name="back" />
        </button>
        <Avatar name={title} group={parsed.kind !== "private"} user={other} />
        <h2>
          {title}
          {presence?.status && <small className="thread-status">{presence.status}</small>}
        </h2>
        {row && (
          <ConversationMenu
            client={client}
            row={row}
            blocking={other === undefined ? undefined : blocking}
            onProblem={setProblem}
            onGone={onBack}
          />
        )}
        {parsed.kind !== "private" && member && (
          <button
            className="round"
            type="button"
            aria-label={parsed.kind === "group" ? words.groupDetails : words.talkDetails}
            title={parsed.kind === "group" ? words.groupDetails : words.talkDetails}
            onClick={() => setDetails(true)}
          >
            <Icon name="people" />
          </button>
        )}
      </header>
      {group?.announcement && (
        <p className="announcement" role="note" aria-label={words.announcement}>
          {group.announcement}
        </p>
      )}
      <Messages
        me={me}
        title={title}
        timeline={timeline}
        shown={shown}
        readBefore={readBefore}
        online={state === "connected"}
        client={client}
        receipts={receipts}
        uploads={uploads}
        onEdit={setEditing}
        onProblem={setProblem}
      />
      <p className="typing" role="status">
        {typing.length > 0 && words.typing(typing.join(words.listSeparator))}
      </p>
      {blocking[0] && (
        <p className="hint thread-blocked" role="note">
          {words.blocked}
        </p>
      )}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      {member ? (
        <Composer
          key={editing?.seq}
          label={words.writeTo(title)}
          draft={client.local.draft(conversation)}
          editing={editing?.text}
          onSend={send}
          onFiles={uploads.add}
          onChange={(text) => {
            if (!editing) client.local.setDraft(conversation, text);
            if (text !== "") tell();
          }}
          onCancel={() => setEditing(undefined)}
        />
      ) : row?.invitation ? (
        <Invitation
          client={client}
          conversation={conversation}
          invitation={row.invitation}
          onProblem={setProblem}
          onGone={onBack}
        />
      ) : (
        <p className="thread-left">{words.noLonger}</p>
      )}
      {details && parsed.kind === "created" && (
        <TalkDetails
          me={me}
          client={client}
          conversation={conversation}
          title={title}
          onClose={() => setDetails(false)}
        />
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
