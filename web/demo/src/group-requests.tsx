/** Who asks to be let into a group, for those who decide. */
import type { AnserClient, GroupUser } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { Avatar } from "./avatar.js";
import { useWords } from "./i18n.js";

interface Props {
  client: AnserClient;
  groupId: string;
  /** Changes when something happened to the group. */
  version: unknown;
  onAct(action: () => Promise<unknown>): void;
}

export function GroupRequests({ client, groupId, version, onAct }: Props) {
  const words = useWords();
  const [users, setUsers] = useState<readonly GroupUser[]>([]);
  const [look, setLook] = useState(0);

  useEffect(
    () =>
      client.on("joinRequest", (request) => {
        if (request.groupId === groupId) setLook((before) => before + 1);
      }),
    [client, groupId],
  );
  useEffect(() => {
    let current = true;
    client.joinRequests(groupId).then(
      (page) => current && setUsers(page.users),
      () => {},
    );
    return () => {
      current = false;
    };
  }, [client, groupId, version, look]);

  if (users.length === 0) return null;
  const decide = (user: string, approve: boolean) =>
    onAct(() => client.decideJoinRequests(groupId, [user], approve));
  return (
    <>
      <h3 className="dialog-part">{words.requests}</h3>
      <ul className="members">
        {users.map(({ userId, message }) => (
          <li key={userId} data-request={userId}>
            <Avatar name={userId} />
            <span className="member-name">
              {userId}
              {message && <small>{message}</small>}
            </span>
            <button className="primary" type="button" onClick={() => decide(userId, true)}>
              {words.approve}
            </button>
            <button className="quiet" type="button" onClick={() => decide(userId, false)}>
              {words.reject}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
