/** What is watched: a picture where a video would be, what is said flying over it, and the seats. */
import type { AnserClient } from "@anser-im/sdk";

import { Avatar } from "./avatar.js";
import { Icon } from "./icons.js";
import { GiftPicture } from "./live-gift.js";
import { SEATS } from "./live-state.js";
import { useLiveWords } from "./live-words.js";
import { Landscape } from "./logo.js";
import type { Flying } from "./use-live.js";

export function Stage({ flying }: { flying: readonly Flying[] }) {
  const words = useLiveWords();
  return (
    <section className="live-stage">
      <Landscape />
      <span className="live-badge">{words.badge}</span>
      {/* The same is in the list of messages, for those who can't read it in flight. */}
      <div className="live-flow" aria-hidden="true">
        {flying.map(({ key, kind, text, gift, lane }) => (
          <span key={key} className={`live-flying live-flying-${kind} live-lane-${lane}`}>
            {kind === "heart" ? <Icon name="heart" /> : text}
            {gift && <GiftPicture gift={gift} />}
          </span>
        ))}
      </div>
    </section>
  );
}

interface SeatsProps {
  me: string;
  client: AnserClient;
  room: string;
  attributes: ReadonlyMap<string, string>;
  moderates: boolean;
  disabled: boolean;
  attempt(done: Promise<unknown>): void;
}

export function Seats(props: SeatsProps) {
  const { me, client, room, attributes, moderates, disabled, attempt } = props;
  const words = useLiveWords();
  const mine = SEATS.find((seat) => attributes.get(seat) === me);

  const take = (seat: string) => {
    // One seat a person: the other one is left in the same moment.
    const left = mine === undefined ? [] : [{ key: mine }];
    const taken = { key: seat, value: me, leaves: true };
    attempt(client.setRoomAttributes(room, [...left, taken]));
  };
  const free = (seat: string, force: boolean) =>
    attempt(client.setRoomAttributes(room, [{ key: seat }], { force }));

  return (
    <ol className="live-seats">
      {SEATS.map((seat, i) => {
        const who = attributes.get(seat);
        const isMine = who === me;
        const label =
          who === undefined
            ? words.takeSeat(i + 1)
            : isMine
              ? words.freeSeat(i + 1)
              : words.clearSeat(i + 1, who);
        const act = () => (who === undefined ? take(seat) : free(seat, !isMine));
        return (
          <li key={seat} data-seat={i + 1} data-user={who}>
            <button
              type="button"
              className={isMine ? "live-seat live-seat-mine" : "live-seat"}
              aria-label={label}
              title={label}
              disabled={disabled || (who !== undefined && !isMine && !moderates)}
              onClick={act}
            >
              {who === undefined ? (
                <span className="live-seat-free">
                  <Icon name="microphone" />
                </span>
              ) : (
                <Avatar name={who} />
              )}
            </button>
            <span className="live-seat-name">{who ?? words.seat(i + 1)}</span>
          </li>
        );
      })}
    </ol>
  );
}
