/** Conversations of the app's backend, as an application sees them. */
import type { JsonObject } from "./created-types.js";

export interface SystemConversation {
  /** Its name, `s/<id>`, as messages and the list have it. */
  readonly conversation: string;
  readonly name: string;
  /** The address of a picture; empty: none. */
  readonly portrait: string;
  /** Nested, the application's own. */
  readonly attributes: JsonObject;
  /** All users of the app are subscribed; nobody comes or goes. */
  readonly everyone: boolean;
  /** Unix milliseconds. */
  readonly createdTime: number;
  /** When name, portrait or attributes changed last. */
  readonly updatedTime: number;
}
