/** Pictures of gifts, drawn for this page. Decoration: words beside them say what they are. */
import type { Gift } from "./live-state.js";
import { Goose } from "./logo.js";

const PATHS: Record<Exclude<Gift, "goose">, string> = {
  flower:
    "M12 9.5a2.5 2.5 0 1 0 0 5 2.5 2.5 0 0 0 0-5zM12 9.5C9 7 9.5 3 12 2.5c2.5.5 3 4.5 0 7zM14.4 11.2c1-3.7 4.8-4.7 6-2.5.3 2.5-3.2 4.5-6 2.5zM13.5 14.2c3.8-.4 5.9 2.9 4.2 4.8-2.3 1.1-4.7-2-4.2-4.8zM10.5 14.2c.5 2.8-1.9 5.9-4.2 4.8-1.7-1.9.4-5.2 4.2-4.8zM9.6 11.2c-2.8 2-6.3 0-6-2.5 1.2-2.2 5-1.2 6 2.5z",
  lantern:
    "M12 2v3M8.5 5h7M8.5 17h7M8.5 5C5.5 7 4.5 9 4.5 11s1 4 4 6M15.5 5c3 2 4 4 4 6s-1 4-4 6M12 5c-1.8 2-2.5 4-2.5 6s.7 4 2.5 6c1.8-2 2.5-4 2.5-6S13.8 7 12 5zM10 17v4.5M12 17v5M14 17v4.5",
};

export function GiftPicture({ gift }: { gift: Gift }) {
  if (gift === "goose") return <Goose className="gift" />;
  return (
    <svg className="gift icon" viewBox="0 0 24 24" aria-hidden="true">
      <path d={PATHS[gift]} />
    </svg>
  );
}
