import { hueOf } from "./format.js";
import { useWords } from "./i18n.js";
import { usePresence } from "./use-people.js";

interface Props {
  name: string;
  group?: boolean;
  /** Whose presence it shows, if it is known. */
  user?: string | undefined;
}

/** The first character of a name on a colour of its own. Decoration: the name stands beside it. */
export function Avatar({ name, group = false, user }: Props) {
  const words = useWords();
  const presence = usePresence(user);
  const [first = ""] = name;
  const classes = `avatar hue-${hueOf(name)}${group ? " avatar-group" : ""}`;
  const letter = (
    <span className={classes} aria-hidden="true">
      {first.toLocaleUpperCase()}
    </span>
  );
  if (!presence) return letter;
  const label = presence.online ? words.online : words.away;
  return (
    <span className="avatar-frame">
      {letter}
      <span
        className={presence.online ? "presence presence-online" : "presence"}
        role="img"
        aria-label={label}
        title={label}
      />
    </span>
  );
}
