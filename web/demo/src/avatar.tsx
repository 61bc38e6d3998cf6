import { hueOf } from "./format.js";

/** The first character of a name on a colour of its own. Decoration: the name stands beside it. */
export function Avatar({ name, group = false }: { name: string; group?: boolean }) {
  const [first = ""] = name;
  return (
    <span className={`avatar hue-${hueOf(name)}${group ? " avatar-group" : ""}`} aria-hidden="true">
      {first.toLocaleUpperCase()}
    </span>
  );
}
