/** A group as the server has it, looked at anew whenever something happens to it. */
import { type AnserClient, type Group, group as groupConversation } from "@anser-im/sdk";
import { useCallback, useEffect, useState } from "react";

/** The group, and a function that looks at it once more. Nothing while it is not to be had. */
export function useGroup(
  client: AnserClient,
  groupId: string | undefined,
): [Group | undefined, () => void] {
  const [group, setGroup] = useState<Group>();
  const [look, setLook] = useState(0);
  const again = useCallback(() => setLook((before) => before + 1), []);

  useEffect(() => {
    if (groupId === undefined) return;
    const conversation = groupConversation(groupId);
    const stops = [
      client.on("message", (message) => {
        if (message.conversation === conversation && message.notice) again();
      }),
      client.on("synced", again),
    ];
    return () => {
      for (const stop of stops) stop();
    };
  }, [client, groupId, again]);

  useEffect(() => {
    if (groupId === undefined) return;
    let current = true;
    client.getGroup(groupId).then(
      (fresh) => current && setGroup(fresh),
      // The next sync looks again; who is not in it sees nothing.
      () => {},
    );
    return () => {
      current = false;
    };
  }, [client, groupId, look]);

  return [group, again];
}
