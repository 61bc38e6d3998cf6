/** A dialog about a group: who is in it, who wants to be, and what is set. */
import type { AnserClient, GroupMember } from "@anser-im/sdk";
import { type FormEvent, useCallback, useEffect, useState } from "react";

import { Dialog } from "./dialog.js";
import { GroupMembers } from "./group-members.js";
import { GroupRequests } from "./group-requests.js";
import { GroupSettings } from "./group-settings.js";
import { useWords } from "./i18n.js";
import { introduce, splitNames } from "./identity.js";
import { useGroup } from "./use-group.js";

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
  const [group, look] = useGroup(client, groupId);
  const [members, setMembers] = useState<readonly GroupMember[]>([]);
  const [names, setNames] = useState("");
  const [sure, setSure] = useState(false);
  const [problem, setProblem] = useState<string>();

  const attempt = useCallback(async (action: () => Promise<unknown>) => {
    setProblem(undefined);
    try {
      await action();
    } catch (error) {
      setProblem((error as Error).message);
    }
  }, []);

  useEffect(() => {
    if (!group) return;
    void attempt(async () => {
      const page = await client.groupMembers(groupId, { limit: LISTED_MAX });
      setMembers(page.members);
    });
  }, [attempt, client, groupId, group]);

  const act = (action: () => Promise<unknown>) =>
    void attempt(async () => {
      try {
        await action();
      } finally {
        // Also what was refused: the switches show how things are.
        look();
      }
    });
  const add = (event: FormEvent) => {
    event.preventDefault();
    const users = splitNames(names);
    act(async () => {
      await introduce(users);
      await client.addGroupMembers(groupId, users);
      setNames("");
    });
  };
  const leave = (action: () => Promise<void>) =>
    attempt(async () => {
      await action();
      onClose();
    });

  const owner = group?.owner === me;
  const decides = owner || group?.admins.includes(me) === true;
  return (
    <Dialog title={title} onClose={onClose}>
      {group && (
        <p className="dialog-part">
          {words.groupId} <code>{group.id}</code>
        </p>
      )}
      {decides && <GroupRequests client={client} groupId={groupId} version={group} onAct={act} />}
      <h3 className="dialog-part">{group && words.memberCount(group.memberCount)}</h3>
      {group && (
        <GroupMembers me={me} client={client} group={group} members={members} onAct={act} />
      )}
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
      {group && decides && <GroupSettings client={client} group={group} onAct={act} />}
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
