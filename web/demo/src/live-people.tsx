/** Who is in a live room; for moderators, with what they do about it. */
import type { AnserClient, RoomMemberPage, RoomModeration } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { Avatar } from "./avatar.js";
import { Dialog } from "./dialog.js";
import type { LiveState } from "./live-state.js";
import { MUTE_SECONDS } from "./live-talk.js";
import { problemText, useLiveWords } from "./live-words.js";

/** Members that are listed; the last to come, first. */
const LISTED = 50;
/** So long somebody who is put out stays out, in seconds. */
const OUT_SECONDS = 600;

interface Props {
  me: string;
  client: AnserClient;
  room: string;
  state: LiveState;
  moderates: boolean;
  onClose(): void;
}

export function LivePeople({ me, client, room, state, moderates, onClose }: Props) {
  const words = useLiveWords();
  const [problem, setProblem] = useState<string>();
  const [extra, setExtra] = useState("");
  const page = useMembers(client, room, state);
  const moderators = state.room?.moderators ?? [];
  const mutedAll = state.mutedAll ?? state.room?.muted ?? false;

  const moderate = (what: RoomModeration) => {
    setProblem(undefined);
    client
      .moderateRoom(room, what, extra.trim())
      .catch((error: unknown) => setProblem(problemText(error, words)));
  };
  return (
    <Dialog title={words.peopleTitle} onClose={onClose}>
      {moderates && (
        <>
          <label className="check">
            <input
              type="checkbox"
              checked={mutedAll}
              onChange={() => moderate({ muteAll: !mutedAll })}
            />
            {words.muteAll}
          </label>
          <label className="field">
            {words.words}
            <input
              value={extra}
              maxLength={200}
              autoComplete="off"
              onChange={(event) => setExtra(event.target.value)}
            />
          </label>
        </>
      )}
      {problem && (
        <p className="problem" role="alert">
          {problem}
        </p>
      )}
      <ul className="members live-members">
        {page?.members.map(({ user }) => (
          <li key={user} data-member={user}>
            <Avatar name={user} />
            <span className="member-name">
              {user}
              {moderators.includes(user) && <small>{words.moderator}</small>}
              {state.muted.has(user) && <small>{words.mutedSign}</small>}
            </span>
            {moderates && user !== me && (
              <span className="live-member-actions">
                {state.muted.has(user) ? (
                  <button
                    className="quiet"
                    type="button"
                    onClick={() => moderate({ unmute: [user] })}
                  >
                    {words.unmute}
                  </button>
                ) : (
                  <button
                    className="quiet"
                    type="button"
                    onClick={() => moderate({ mute: [user], seconds: MUTE_SECONDS })}
                  >
                    {words.mute}
                  </button>
                )}
                <button
                  className="danger live-remove"
                  type="button"
                  onClick={() => moderate({ remove: [user], seconds: OUT_SECONDS })}
                >
                  {words.remove}
                </button>
              </span>
            )}
          </li>
        ))}
      </ul>
      {page && page.memberCount > page.members.length && (
        <p className="hint">{words.more(page.memberCount - page.members.length)}</p>
      )}
      {moderates && state.banned.size > 0 && (
        <>
          <h3 className="dialog-part">{words.keptOut}</h3>
          <ul className="members live-members">
            {[...state.banned].map((user) => (
              <li key={user} data-banned={user}>
                <Avatar name={user} />
                <span className="member-name">{user}</span>
                <button
                  className="quiet"
                  type="button"
                  onClick={() => moderate({ liftBan: [user] })}
                >
                  {words.letIn}
                </button>
              </li>
            ))}
          </ul>
        </>
      )}
    </Dialog>
  );
}

/** Read again whenever somebody has come or gone. */
function useMembers(client: AnserClient, room: string, state: LiveState) {
  const [page, setPage] = useState<RoomMemberPage>();
  useEffect(() => {
    let over = false;
    client.roomMembers(room, { newestFirst: true, limit: LISTED }).then(
      (read) => over || setPage(read),
      // The next change reads them again.
      () => {},
    );
    return () => {
      over = true;
    };
  }, [client, room, state.memberCount, state.banned]);
  return page;
}
