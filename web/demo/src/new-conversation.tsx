/** A dialog: talk to a person, or make a group. */
import { type FormEvent, useState } from "react";

import { Dialog } from "./dialog.js";
import { useWords } from "./i18n.js";
import { splitNames } from "./identity.js";

interface Props {
  me: string;
  onTalkTo(peer: string): Promise<void>;
  onCreateGroup(name: string, members: readonly string[]): Promise<void>;
  onClose(): void;
}

export function NewConversation({ me, onTalkTo, onCreateGroup, onClose }: Props) {
  const words = useWords();
  const [kind, setKind] = useState<"person" | "group">("person");
  const [name, setName] = useState("");
  const [members, setMembers] = useState("");
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<string>();

  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    try {
      const others = splitNames(members).filter((member) => member !== me);
      if (kind === "person") await onTalkTo(name.trim());
      else await onCreateGroup(name.trim(), others);
    } catch (error) {
      setProblem((error as Error).message);
      setBusy(false);
    }
  };

  return (
    <Dialog title={words.newChat} onClose={onClose}>
      <form onSubmit={submit}>
        <div className="tabs" role="radiogroup" aria-label={words.newChat}>
          {(["person", "group"] as const).map((one) => (
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
          {kind === "person" ? words.theirName : words.groupName}
          <input
            value={name}
            autoFocus
            autoComplete="off"
            autoCapitalize="none"
            maxLength={64}
            onChange={(event) => setName(event.target.value)}
          />
        </label>
        {kind === "group" && (
          <label className="field">
            {words.members}
            <input
              value={members}
              autoComplete="off"
              autoCapitalize="none"
              placeholder={words.membersHint}
              onChange={(event) => setMembers(event.target.value)}
            />
          </label>
        )}
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
            {kind === "person" ? words.talk : words.create}
          </button>
        </div>
      </form>
    </Dialog>
  );
}
