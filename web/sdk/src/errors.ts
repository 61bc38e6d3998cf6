/**
 * Error codes and what a client does about them.
 *
 * The range of a code decides, not the code itself, so that this client handles codes that are
 * younger than it. Codes below 1000 never travel: they are made on this side.
 */

/** What a client does about a code. */
export type Action = "retry" | "renew-token" | "give-up" | "signed-out";

/** The rule of the ranges. A number outside of them is final. */
export function actionOf(code: number): Action {
  if (code >= 1000 && code <= 1999) return "retry";
  if (code >= 2000 && code <= 2999) return "renew-token";
  if (code >= 4000 && code <= 4999) return "signed-out";
  return "give-up";
}

/** No answer within the time of a request, nor after connecting again and asking once more. */
export const SERVER_NOT_REACHABLE = 300;
/** There is no connection and none is being made: `connect()` was not called, or it is over. */
export const MESSAGE_WEBSOCKET_DISCONNECTED = 510;
/** The server's code for a heartbeat that came too late. */
export const HEARTBEAT_MISSED = 1007;

/** Everything that this SDK throws, rejects with or reports. */
export class AnserError extends Error {
  override readonly name = "AnserError";

  constructor(
    /** The number: stable, see the server's page of error codes. */
    readonly code: number,
    /** The stable name of the number, such as `NOT_A_MEMBER`. */
    readonly codeName: string,
    /** For a developer to read. */
    detail: string,
    /** Milliseconds to wait at least before a retry; 0 when the server did not say. */
    readonly retryAfterMs = 0,
  ) {
    super(`${codeName} (${code})${detail ? `: ${detail}` : ""}`);
  }

  /** What the range of the code says. */
  get action(): Action {
    return actionOf(this.code);
  }
}

export function notReachable(detail: string): AnserError {
  return new AnserError(SERVER_NOT_REACHABLE, "SERVER_NOT_REACHABLE", detail);
}

export function disconnected(detail: string): AnserError {
  return new AnserError(MESSAGE_WEBSOCKET_DISCONNECTED, "MESSAGE_WEBSOCKET_DISCONNECTED", detail);
}

/** A queue on this side is full; nothing was sent. */
export function overloaded(detail: string): AnserError {
  return new AnserError(1002, "OVERLOADED", detail);
}

/** The caller's mistake, found before anything was sent. */
export function invalid(detail: string): AnserError {
  return new AnserError(3000, "INVALID_REQUEST", detail);
}

/** The server sent what the protocol does not allow. The connection is dropped and made anew. */
export function brokenProtocol(detail: string): AnserError {
  return new AnserError(1000, "INTERNAL", `the server broke the protocol: ${detail}`);
}
