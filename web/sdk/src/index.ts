/** Client of the Anser messaging server. Start with `AnserClient`. */
export { AnserClient, type ClientOptions, type SendOptions, type Storage } from "./client.js";
export type { HistoryOptions, PageOptions } from "./commands.js";
export {
  group,
  parseConversation,
  peerOf,
  privateWith,
  type ParsedConversation,
} from "./conversation.js";
export { type ContentBodies, bodyOf, contentOf, fileContent, imageContent } from "./contents.js";
export type { ConversationList } from "./conversation-list.js";
export type { Environment, NetworkHint, Socket, SocketEvents, Transport } from "./environment.js";
export {
  AnserError,
  MESSAGE_WEBSOCKET_DISCONNECTED,
  SERVER_NOT_REACHABLE,
  actionOf,
  type Action,
} from "./errors.js";
export { LOCAL_DATABASE_FAILED, type Local } from "./local.js";
export type { Media, MediaFile, UploadOptions } from "./media.js";
export type { Outgoing, OutgoingMessages } from "./outgoing.js";
export type * from "./store/database.js";
export { IndexedDatabase } from "./store/indexed.js";
export { MemoryDatabase } from "./store/memory.js";
export { type Locks, processLocks, webLocks } from "./store/tabs.js";
export type { Timeline, TimelineSnapshot } from "./timeline.js";
export { webSocket } from "./transport.js";
export type * from "./types.js";
