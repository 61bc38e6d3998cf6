/** A dialog about a group: who is in it, and what one may do about that. */
import type { AnserClient, Group, GroupMember } from "@anser-im/sdk";
import { type FormEvent, useCallback, useEffect, useState } from "react";

import { Avatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import { useWords } from "./i18n.js";
import { introduce, splitNames } from "./identity.js";
import { Icon } from "./icons.js";

/** Members listed; the number of all of them stands above. */
const LISTED_MAX = 200;

interface Props {
  me: string;
  client: AnserClient;
  groupId: string;
  title: string;
  onClose(): void;
}

export function GroupDetails({ me, client, groupId, title, onClose }: Props) {
  const words = useWords();
  const [group, setGroup] = useState<Group>();
  const [members, setMembers] = useState<readonly GroupMember[]>([]);
  const [names, setNames] = useState("");
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState<string>();

  const load = useCallback(async () => {
    const [fresh, page] = await Promise.all([
      client.getGroup(groupId),
      client.groupMembers(groupId, { limit: LISTED_MAX }),
    ]);
    setGroup(fresh);
    setMembers(page.members);
  }, [client, groupId]);

  const attempt = useCallback(async (action: () => Promise<unknown>) => {
    setProblem(undefined);
    try {
      await action();
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, []);

  useEffect(() => void attempt(load), [attempt, load]);

  const add = (event: FormEvent) => {
    event.preventDefault();
    const users = splitNames(names);
    void attempt(async () => {
      await introduce(users);
      await client.addGroupMembers(groupId, users);
      setNames("");
      await load();
    });
  };
  const remove = (user: string) =>
    attempt(async () => {
      await client.removeGroupMembers(groupId, [user]);
      await load();
    });
  const leave = (action: () => Promise<void>) =>
    attempt(async () => {
      await action();
      onClose();
    });

  const owner = group?.owner === me;
  return (
    <Dialog title={title} onClose={onClose}>
      <h3 className="dialog-part">{group && words.memberCount(group.memberCount)}</h3>
      <ul className="members">
        {members.map(({ userId, role }) => (
          <li key={userId}>
            <Avatar name={userId} />
            <span className="member-name">
              {userId === me ? `${userId} (${words.you})` : userId}
            </span>
            {role === "owner" && <span className="tag">{words.owner}</span>}
            {owner && userId !== me && (
              <button
                className="round"
                type="button"
                aria-label={words.remove(userId)}
                title={words.remove(userId)}
                onClick={() => void remove(userId)}
              >
                <Icon name="close" />
              </button>
            )}
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
        {owner && (
          <button
            className="danger"
            type="button"
            onClick={() => (sure ? void leave(() => client.dismissGroup(groupId)) : setSure(true))}
          >
            {sure ? words.dismissSure : words.dismiss}
          </button>
        )}
        {group && !owner && (
          <button
            className="danger"
            type="button"
            onClick={() => void leave(() => client.quitGroup(groupId))}
          >
            {words.quit}
          </button>
        )}
      </div>
    </Dialog>
  );
}
