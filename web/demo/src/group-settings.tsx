/** What the owner and the admins set: announcement, who comes in and how, the mute of all. */
import type { AnserClient, Group, JoinMode } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { useWords } from "./i18n.js";

interface Props {
  client: AnserClient;
  group: Group;
  onAct(action: () => Promise<unknown>): void;
}

const JOINS: readonly JoinMode[] = ["approval", "public", "closed"];

export function GroupSettings({ client, group, onAct }: Props) {
  const words = useWords();
  const { id, settings } = group;
  const [announcement, setAnnouncement] = useState(group.announcement);
  // Somebody else changed it while this was open.
  useEffect(() => setAnnouncement(group.announcement), [group.announcement]);
  const update = (change: Parameters<AnserClient["updateGroup"]>[1]) =>
    onAct(() => client.updateGroup(id, change));

  return (
    <>
      <form
        className="field-row"
        onSubmit={(event) => {
          event.preventDefault();
          update({ announcement: announcement.trim() });
        }}
      >
        <label className="field">
          {words.announcement}
          <input
            value={announcement}
            autoComplete="off"
            onChange={(event) => setAnnouncement(event.target.value)}
          />
        </label>
        <button
          className="primary"
          type="submit"
          disabled={announcement.trim() === group.announcement}
        >
          {words.save}
        </button>
      </form>
      <label className="field">
        {words.whoJoins}
        <select
          value={settings.join}
          onChange={(event) => update({ join: event.target.value as JoinMode })}
        >
          {JOINS.map((join) => (
            <option key={join} value={join}>
              {words.joinModes[join]}
            </option>
          ))}
        </select>
      </label>
      <Check
        label={words.needAcceptance}
        checked={settings.invitationsNeedAcceptance}
        of={group}
        onChange={(invitationsNeedAcceptance) => update({ invitationsNeedAcceptance })}
      />
      <Check
        label={words.muteAll}
        checked={settings.muted}
        of={group}
        onChange={(muted) => update({ muted })}
      />
    </>
  );
}

interface CheckProps {
  label: string;
  checked: boolean;
  of: Group;
  onChange(checked: boolean): void;
}

/** Shows what is wanted until the server's word comes. */
function Check({ label, checked, of, onChange }: CheckProps) {
  const [wanted, setWanted] = useState(checked);
  useEffect(() => setWanted(checked), [checked, of]);
  return (
    <label className="check">
      <input
        type="checkbox"
        checked={wanted}
        onChange={(event) => {
          setWanted(event.target.checked);
          onChange(event.target.checked);
        }}
      />
      {label}
    </label>
  );
}
