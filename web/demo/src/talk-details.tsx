/** A dialog about a conversation that a user created: its name, and who is in it. */
import type { AnserClient, CreatedConversation, GroupMember } from "@anser-im/sdk";
import { type FormEvent, useCallback, useEffect, useState } from "react";

import { Avatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { useWords } from "./i18n.js";
import { introduce, splitNames } from "./identity.js";

/** Members listed; the number of all of them stands above. */
const LISTED_MAX = 200;

interface Props {
  me: string;
  client: AnserClient;
  conversation: string;
  title: string;
  onClose(): void;
}

export function TalkDetails({ me, client, conversation, title, onClose }: Props) {
  const words = useWords();
  const [talk, setTalk] = useState<CreatedConversation>();
  const [members, setMembers] = useState<readonly GroupMember[]>([]);
  const [name, setName] = useState<string>();
  const [names, setNames] = useState("");
  const [problem, setProblem] = useState<string>();

  const look = useCallback(async () => {
    const [fresh, page] = await Promise.all([
      client.getCreatedConversation(conversation),
      client.conversationMembers(conversation, { limit: LISTED_MAX }),
    ]);
    setTalk(fresh);
    setMembers(page.members);
  }, [client, conversation]);
  const act = useCallback(
    async (action: () => Promise<unknown>) => {
      setProblem(undefined);
      try {
        await action();
        await look();
      } catch (error) {
        setProblem((error as Error).message);
      }
    },
    [look],
  );
  useEffect(() => {
    void act(async () => {});
    return client.on("message", (message) => {
      if (message.conversation === conversation && message.notice) void act(async () => {});
    });
  }, [act, client, conversation]);

  const rename = (event: FormEvent) => {
    event.preventDefault();
    if (name === undefined) return;
    void act(async () => {
      await client.updateCreatedConversation(conversation, { name: name.trim() });
      setName(undefined);
    });
  };
  const add = (event: FormEvent) => {
    event.preventDefault();
    const users = splitNames(names);
    void act(async () => {
      await introduce(users);
      await client.inviteToConversation(conversation, users);
      setNames("");
    });
  };
  const leave = async () => {
    try {
      await client.leaveConversation(conversation);
      onClose();
    } catch (error) {
      setProblem((error as Error).message);
    }
  };

  return (
    <Dialog title={title} onClose={onClose}>
      <form className="field-row" onSubmit={rename}>
        <label className="field">
          {words.talkName}
          <input
            value={name ?? talk?.name ?? ""}
            maxLength={64}
            autoComplete="off"
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        <button className="primary" type="submit" disabled={name === undefined}>
          {words.save}
        </button>
      </form>
      <h3 className="dialog-part">{talk && words.memberCount(talk.memberCount)}</h3>
      <ul className="members">
        {members.map(({ userId, role }) => (
          <li key={userId} data-member={userId}>
            <Avatar name={userId} />
            <span className="member-name">
              {userId === me ? `${userId} (${words.you})` : userId}
            </span>
            {role === "owner" && <span className="tag">{words.owner}</span>}
            {role === "admin" && <span className="tag">{words.admin}</span>}
          </li>
        ))}
      </ul>
      <form className="field-row" onSubmit={add}>
        <label className="field">
          {words.addMembers}
          <input
            value={names}
            autoComplete="off"
            autoCapitalize="none"
            placeholder={words.membersHint}
            onChange={(event) => setNames(event.target.value)}
          />
        </label>
        <button className="primary" type="submit" disabled={splitNames(names).length === 0}>
          {words.add}
        </button>
      </form>
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <div className="dialog-actions">
        <button className="danger" type="button" onClick={() => void leave()}>
          {words.leaveTalk}
        </button>
      </div>
    </Dialog>
  );
}
