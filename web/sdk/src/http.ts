/**
 * Requests over HTTP beside the connection: files go this way. A request shows the user's token,
 * gets a new one if that is refused, and comes back with the answer or with an `AnserError` that
 * has the server's code. What did not reach the server, or was refused for now, is tried again,
 * with backoff, until it failed `TRIES` times in a row.
 */
import { backoff } from "./backoff.js";
import type { Environment } from "./environment.js";
import { AnserError, invalid, notReachable } from "./errors.js";

/** Attempts of one request, the first included. */
export const TRIES = 6;

export interface HttpOut {
  readonly environment: Environment;
  /** Where the server's paths begin: ends with `/v1/`. */
  readonly base: string;
  /** The user's token; `renew`: another one than before. */
  token(renew: boolean): Promise<string>;
}

export interface HttpRequest {
  readonly method: string;
  /** Below `base`. */
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Blob;
  readonly signal?: AbortSignal | undefined;
}

export class Http {
  readonly #out: HttpOut;

  constructor(out: HttpOut) {
    this.#out = out;
  }

  /** The whole address of a path that the server gave. */
  address(path: string): string {
    return new URL(path.replace(/^\/v1\//, ""), this.#out.base).href;
  }

  /** One request, tried again as often as it is worth it. */
  async send(request: HttpRequest): Promise<Response> {
    for (let failures = 0; ;) {
      try {
        return await this.once(request);
      } catch (error) {
        failures += 1;
        if (!mayRetry(error) || failures >= TRIES) throw error;
        await this.pause(failures, error, request.signal);
      }
    }
  }

  /** One request without another try, but for a token that was refused. */
  async once(request: HttpRequest): Promise<Response> {
    const response = await this.#fetch(request, await this.#out.token(false));
    if (response.ok) return response;
    const error = await errorOf(response);
    if (error.action !== "renew-token") throw error;
    const again = await this.#fetch(request, await this.#out.token(true));
    if (!again.ok) throw await errorOf(again);
    return again;
  }

  /** Waits before the next attempt; rejects when it is given up meanwhile. */
  pause(failures: number, error: unknown, signal?: AbortSignal): Promise<void> {
    const { random, timer } = this.#out.environment;
    const least = error instanceof AnserError ? error.retryAfterMs : 0;
    return new Promise((resolve, reject) => {
      const cancel = timer(backoff(failures, random(), least), () => {
        signal?.removeEventListener("abort", aborted);
        resolve();
      });
      const aborted = (): void => {
        cancel();
        reject(abortedError());
      };
      if (signal?.aborted) aborted();
      else signal?.addEventListener("abort", aborted, { once: true });
    });
  }

  async #fetch(request: HttpRequest, token: string): Promise<Response> {
    const { method, path, headers, body, signal } = request;
    const { fetch } = this.#out.environment;
    if (!fetch) throw invalid("this environment has no fetch");
    try {
      return await fetch(new URL(path, this.#out.base).href, {
        method,
        headers: { ...headers, authorization: `Bearer ${token}` },
        ...(body && { body }),
        ...(signal && { signal }),
      });
    } catch (error) {
      throw signal?.aborted ? abortedError() : notReachable(String(error));
    }
  }
}

/** Is it worth another try? */
export function mayRetry(error: unknown): error is AnserError {
  if (!(error instanceof AnserError)) return false;
  return error.action === "retry" || error.code === notReachable("").code;
}

/** The application gave up. */
function abortedError(): AnserError {
  return new AnserError(520, "ABORTED", "the application gave it up");
}

/** By status, where there is no body: answers to HEAD. */
const CODES: Readonly<Record<number, [code: number, name: string]>> = {
  401: [2000, "TOKEN_INVALID"],
  404: [3010, "NOT_FOUND"],
  409: [3062, "UPLOAD_CONFLICT"],
  429: [1003, "RATE_LIMITED"],
};

async function errorOf(response: Response): Promise<AnserError> {
  try {
    const { error } = (await response.json()) as {
      error: { code: number; name: string; message: string; retry_after_ms: number };
    };
    return new AnserError(error.code, error.name, error.message, error.retry_after_ms);
  } catch {
    const { status } = response;
    const other: [number, string] = status >= 500 ? [1000, "INTERNAL"] : [3000, "INVALID_REQUEST"];
    const [code, name] = CODES[status] ?? other;
    const seconds = Number(response.headers.get("retry-after") ?? 0);
    return new AnserError(code, name, `HTTP ${status}`, Math.max(0, seconds * 1000) || 0);
  }
}
