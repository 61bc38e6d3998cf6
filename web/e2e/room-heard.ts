/** What a device heard of a chat room since it joined. */
import type { RoomMessage, RoomNews, RoomNotice } from "../sdk/src/index.js";

interface Said {
  readonly id: string;
  text: string;
}

const RECALLED = "[recalled]";

/** A message of a chat room in the words of scenarios. */
export function shown({ recalled, content }: RoomMessage): string {
  return recalled ? RECALLED : new TextDecoder().decode(content.body);
}

export class RoomHeard {
  /** What it was given when it joined. */
  #given: readonly Said[] = [];
  readonly #said: Said[] = [];
  attributes: Record<string, string> = {};
  readonly notices: RoomNotice[] = [];
  /** Why it is not in the room any more. */
  left: string | undefined;

  get texts(): string[] {
    return this.#said.map(({ text }) => text);
  }

  given(messages: readonly RoomMessage[]): void {
    this.#given = messages.map(said);
  }

  /** The last message with this text. */
  idOf(text: string): string | undefined {
    return [...this.#given, ...this.#said].filter((one) => one.text === text).at(-1)?.id;
  }

  take(news: RoomNews): void {
    if (news.kind === "message") this.#said.push(said(news.message));
    else if (news.kind === "recalled") this.#recalled(news.messageId);
    else if (news.kind === "notice") this.notices.push(news.notice);
    else if (news.kind === "left") this.left = news.left.reason.replaceAll("-", "_");
    else if (news.kind === "attributes" || news.kind === "all-attributes") {
      const set = news.kind === "attributes" ? news.set : news.attributes;
      const kept = news.kind === "attributes" ? Object.entries(this.attributes) : [];
      const gone = news.kind === "attributes" ? news.deleted : [];
      const fresh = set.map(({ key, value }) => [key, value] as const);
      this.attributes = Object.fromEntries(
        [...kept, ...fresh].filter(([key]) => !gone.includes(key)),
      );
    }
  }

  #recalled(id: string): void {
    for (const one of [...this.#given, ...this.#said]) if (one.id === id) one.text = RECALLED;
  }
}

function said(message: RoomMessage): Said {
  return { id: message.id, text: shown(message) };
}
