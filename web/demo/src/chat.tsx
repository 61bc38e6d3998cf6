/** The signed-in page: conversations beside the one that is open; on a phone, one of the two. */
import { type AnserClient, privateWith } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { ConnectionBanner } from "./connection-banner.js";
import { useStore } from "./hooks.js";
import { useWords } from "./i18n.js";
import { introduce } from "./identity.js";
import { useDelivering } from "./live.js";
import { Goose } from "./logo.js";
import { NewConversation } from "./new-conversation.js";
import { Sidebar } from "./sidebar.js";
import { Thread } from "./thread.js";
import { PresenceContext, useWatching } from "./use-people.js";

/** Characters of the name of a conversation of several. */
const TALK_NAME_MAX = 40;

interface Props {
  me: string;
  client: AnserClient;
  /** Somebody to talk to from the start. */
  openWith: string | undefined;
  onLive(): void;
  onSwitchLanguage(): void;
  onSignOut(): void;
}

export function Chat(props: Props) {
  const { me, client, openWith, onSwitchLanguage, onSignOut } = props;
  const words = useWords();
  const rows = useStore(client.list);
  const [open, setOpen] = useState(() => openWith && privateWith(me, openWith));
  const [composing, setComposing] = useState(false);

  useDelivering(client);
  const presences = useWatching(client, me);

  const unread = rows.reduce((sum, row) => sum + row.unread, 0);
  useEffect(() => {
    document.title = `${unread > 0 ? `(${unread}) ` : ""}${me} · 鸿雁 Anser`;
  }, [unread, me]);

  const talkTo = async (...peers: string[]) => {
    await introduce(peers);
    const [peer = me] = peers;
    if (peers.length > 1) {
      // The same people get the same conversation, whoever of them begins.
      const name = [me, ...peers].sort().join(words.listSeparator).slice(0, TALK_NAME_MAX);
      const talk = await client.createConversation({ name, members: peers, unique: true });
      setOpen(talk.conversation);
    } else {
      setOpen(privateWith(me, peer));
    }
    setComposing(false);
  };
  const createGroup = async (name: string, members: readonly string[]) => {
    await introduce(members);
    const group = await client.createGroup({ name, members });
    setOpen(group.conversation);
    setComposing(false);
  };
  const joinGroup = async (groupId: string, message: string): Promise<boolean> => {
    const { joined, group } = await client.joinGroup(groupId, message);
    if (!joined || !group) return false;
    setOpen(group.conversation);
    setComposing(false);
    return true;
  };

  return (
    <PresenceContext value={presences}>
      <div className={open ? "chat chat-open" : "chat"}>
        <ConnectionBanner client={client} onSignOut={onSignOut} />
        <Sidebar
          me={me}
          client={client}
          open={open}
          onOpen={setOpen}
          onCompose={() => setComposing(true)}
          onTalkTo={(peer) => void talkTo(peer)}
          onLive={props.onLive}
          onSwitchLanguage={onSwitchLanguage}
          onSignOut={onSignOut}
        />
        {open ? (
          <Thread
            key={open}
            me={me}
            client={client}
            conversation={open}
            onBack={() => setOpen(undefined)}
          />
        ) : (
          <main className="thread thread-none">
            <Goose className="thread-none-goose" />
            <p>{words.pickOne}</p>
          </main>
        )}
        {composing && (
          <NewConversation
            me={me}
            onTalkTo={talkTo}
            onCreateGroup={createGroup}
            onJoinGroup={joinGroup}
            onClose={() => setComposing(false)}
          />
        )}
      </div>
    </PresenceContext>
  );
}
