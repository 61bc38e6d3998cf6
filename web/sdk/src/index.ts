/** Client of the Anser messaging server. Start with `AnserClient`. */
export {
  AnserClient,
  type ClientOptions,
  type HistoryOptions,
  type SendOptions,
  type Storage,
} from "./client.js";
export {
  group,
  parseConversation,
  peerOf,
  privateWith,
  type ParsedConversation,
} from "./conversation.js";
export type { ConversationList } from "./conversation-list.js";
export type { Environment, NetworkHint, Socket, SocketEvents, Transport } from "./environment.js";
export {
  AnserError,
  MESSAGE_WEBSOCKET_DISCONNECTED,
  SERVER_NOT_REACHABLE,
  actionOf,
  type Action,
} from "./errors.js";
export type { Outgoing, Timeline, TimelineSnapshot } from "./timeline.js";
export { webSocket } from "./transport.js";
export type * from "./types.js";
