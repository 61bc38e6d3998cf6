/** Who is in a group, and what the owner and the admins may do about each. */
import type { AnserClient, Group, GroupMember } from "@anser-im/sdk";

import { Avatar } from "./avatar.js";
import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";

/** How long one button mutes a member, in seconds. */
const MUTED_FOR = 3_600;

interface Props {
  me: string;
  client: AnserClient;
  group: Group;
  members: readonly GroupMember[];
  /** Carries an action out, and shows what became of it. */
  onAct(action: () => Promise<unknown>): void;
}

const RANKS = { owner: 2, admin: 1, member: 0 };

export function GroupMembers({ me, client, group, members, onAct }: Props) {
  const words = useWords();
  const { id, owner, admins } = group;
  const mine = owner === me ? "owner" : admins.includes(me) ? "admin" : "member";
  return (
    <ul className="members">
      {members.map(({ userId, role, roleName, nickname, mutedUntil }) => {
        const muted = mutedUntil > Date.now();
        const below = RANKS[mine] > RANKS[role];
        const seconds = muted ? 0 : MUTED_FOR;
        const name = nickname ? `${nickname} (${userId})` : userId;
        return (
          <li key={userId} data-member={userId}>
            <Avatar name={userId} />
            <span className="member-name">{userId === me ? `${name} (${words.you})` : name}</span>
            {role === "owner" && <span className="tag">{words.owner}</span>}
            {role === "admin" && <span className="tag">{words.admin}</span>}
            {roleName && <span className="tag">{roleName}</span>}
            {muted && <span className="tag">{words.mutedMember}</span>}
            {mine === "owner" && role !== "owner" && (
              <button
                className="quiet"
                type="button"
                onClick={() =>
                  onAct(() =>
                    client.setGroupRole(id, [userId], role === "admin" ? "member" : "admin"),
                  )
                }
              >
                {role === "admin" ? words.unmakeAdmin : words.makeAdmin}
              </button>
            )}
            {below && (
              <button
                className="quiet"
                type="button"
                onClick={() => onAct(() => client.muteGroupMembers(id, [userId], seconds))}
              >
                {muted ? words.unmuteMember : words.muteMember}
              </button>
            )}
            {below && (
              <button
                className="round"
                type="button"
                aria-label={words.remove(userId)}
                title={words.remove(userId)}
                onClick={() => onAct(() => client.removeGroupMembers(id, [userId]))}
              >
                <Icon name="close" />
              </button>
            )}
          </li>
        );
      })}
    </ul>
  );
}
