/** A dialog: talk to a person, make a group, or ask to join one. */
import { type FormEvent, useState } from "react";

import { Dialog } from "./dialog.js";
import { useWords } from "./i18n.js";
import { splitNames } from "./identity.js";

interface Props {
  me: string;
  /** Several: all together. */
  onTalkTo(...peers: string[]): Promise<void>;
  onCreateGroup(name: string, members: readonly string[]): Promise<void>;
  /** False: the request waits for an answer. */
  onJoinGroup(groupId: string, message: string): Promise<boolean>;
  onClose(): void;
}

export function NewConversation({ me, onTalkTo, onCreateGroup, onJoinGroup, onClose }: Props) {
  const words = useWords();
  const [kind, setKind] = useState<"person" | "group" | "joinGroup">("person");
  const [name, setName] = useState("");
  const [members, setMembers] = useState("");
  const [busy, setBusy] = useState(false);
  const [waits, setWaits] = useState(false);
  const [problem, setProblem] = useState<string>();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      const others = splitNames(members).filter((member) => member !== me);
      if (kind === "person") {
        const peers = splitNames(name).filter((peer) => peer !== me);
        await onTalkTo(...(peers.length > 1 ? peers : [name.trim()]));
      } else if (kind === "group") await onCreateGroup(name.trim(), others);
      else if (!(await onJoinGroup(name.trim(), members.trim()))) {
        setWaits(true);
        setBusy(false);
      }
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  };

  return (
    <Dialog title={words.newChat} onClose={onClose}>
      <form onSubmit={submit}>
        <div className="tabs" role="radiogroup" aria-label={words.newChat}>
          {(["person", "group", "joinGroup"] as const).map((one) => (
            <label key={one} className={one === kind ? "tab tab-chosen" : "tab"}>
              <input
                className="visually-hidden"
                type="radio"
                name="kind"
                checked={one === kind}
                onChange={() => setKind(one)}
              />
              {words[one]}
            </label>
          ))}
        </div>
        <label className="field">
          {{ person: words.theirName, group: words.groupName, joinGroup: words.joinId }[kind]}
          <input
            value={name}
            autoFocus
            autoComplete="off"
            autoCapitalize="none"
            maxLength={kind === "person" ? 1_000 : 64}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        {kind === "person" && <p className="hint">{words.severalNames}</p>}
        {kind !== "person" && (
          <label className="field">
            {kind === "group" ? words.members : words.joinMessage}
            <input
              value={members}
              autoComplete="off"
              autoCapitalize="none"
              placeholder={kind === "group" ? words.membersHint : ""}
              onChange={(event) => setMembers(event.target.value)}
            />
          </label>
        )}
        {waits && <p role="status">{words.joinWaits}</p>}
        {problem && (
          <p className="problem" role="alert">
            {problem}
          </p>
        )}
        <div className="dialog-actions">
          <button className="quiet" type="button" onClick={onClose}>
            {words.cancel}
          </button>
          <button className="primary" type="submit" disabled={name.trim() === "" || busy}>
            {{ person: words.talk, group: words.create, joinGroup: words.joinThis }[kind]}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
