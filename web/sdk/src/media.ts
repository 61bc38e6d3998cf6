/**
 * Files: uploaded first, then named in a message by their id.
 *
 * What is small goes in one request; the rest in pieces (tus 1.0), each of which is on the
 * server's disk when it is answered. Which upload belongs to which file is kept in the local
 * database until it is done, so that a failed one goes on where it was when the application uploads the
 * same file again, after a reload of the page as well. A file is the same if its key is: name, size
 * and time of its last change, unless the application says otherwise.
 *
 * Downloads go by addresses that need no token and expire; `url` and `thumbnailUrl` have good ones.
 */
import type { Environment } from "./environment.js";
import { AnserError, brokenProtocol, invalid } from "./errors.js";
import { Http, TRIES, mayRetry } from "./http.js";
import type { SavedUpload } from "./store/database.js";

/** Up to so many bytes go in one request, and so many are a piece. */
export const PIECE_BYTES = 512 * 1024;
/** Files whose addresses are remembered. */
const KNOWN_MAX = 500;
/** An address is not given away so shortly before it expires, in milliseconds. */
const FRESH_MS = 60_000;
/** Uploads that are remembered; of more, the oldest begin anew. */
const UPLOADS_MAX = 100;
const TUS = { "tus-resumable": "1.0.0" };

/** An uploaded file, as the server has it. */
export interface MediaFile {
  /** Its id: what messages carry in `media`. */
  readonly media: string;
  /** Without folders and the like. */
  readonly name: string;
  readonly bytes: number;
  /** Found in its bytes. */
  readonly contentType: string;
  /** Pixels, of a picture. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Unix milliseconds. */
  readonly createdTime: number;
  /** Works without a token until `urlExpires`. */
  readonly url: string;
  /** A JPEG with no side above 320 pixels, of a picture. */
  readonly thumbnailUrl: string | undefined;
  /** Unix milliseconds by the server's clock. */
  readonly urlExpires: number;
}

export interface UploadOptions {
  /** What it is called; that of a `File` unless told. */
  name?: string;
  /**
   * What makes it the same file: an unfinished upload of this key goes on. Of a `File` name, size
   * and time unless told; an upload of anything else without a key begins anew each time.
   */
  key?: string;
  /** How many bytes of how many are on the server's disk. */
  onProgress?: (sent: number, total: number) => void;
  /** Gives it up; what is uploaded stays for the next time. */
  signal?: AbortSignal;
}

export interface MediaOut {
  readonly environment: Environment;
  /** Where the server's paths begin. */
  readonly base: string;
  token(renew: boolean): Promise<string>;
  /** Unfinished uploads, once the local database is open. */
  uploads(): Promise<readonly SavedUpload[]>;
  keep(upload: SavedUpload): void;
  forget(key: string): void;
}

export class Media {
  readonly #out: MediaOut;
  readonly #http: Http;
  /** In the order of asking; addresses included. */
  readonly #known = new Map<string, Promise<MediaFile>>();
  /** Keys that are being uploaded. */
  readonly #running = new Set<string>();

  constructor(out: MediaOut) {
    this.#out = out;
    this.#http = new Http(out);
  }

  /**
   * Uploads a file. Without a network it is tried again for a while and then rejects with
   * `SERVER_NOT_REACHABLE` (300); `ABORTED` (520) is for what was given up by `signal`. Call again
   * with the same file to go on.
   */
  async upload(file: Blob | Uint8Array, options: UploadOptions = {}): Promise<MediaFile> {
    const blob = file instanceof Blob ? file : new Blob([file as Uint8Array<ArrayBuffer>]);
    const given = file instanceof File ? file : undefined;
    const name = options.name ?? given?.name ?? "";
    if (blob.size === 0) throw invalid("a file has bytes");
    options.onProgress?.(0, blob.size);
    if (blob.size <= PIECE_BYTES) return this.#whole(blob, name, options);
    const same = given && `${given.name} ${given.size} ${given.lastModified}`;
    const key = options.key ?? same ?? this.#out.environment.uniqueId();
    if (this.#running.has(key)) throw invalid("this file is being uploaded already");
    this.#running.add(key);
    try {
      return await this.#pieces(blob, { key, name }, options);
    } finally {
      this.#running.delete(key);
    }
  }

  /** What is known of a file: by whoever belongs to the app and has its id. */
  async file(media: string): Promise<MediaFile> {
    const response = await this.#http.send({ method: "GET", path: path(media) });
    return this.#learn(await response.json());
  }

  /** An address of its bytes that is good for a while yet. */
  async url(media: string): Promise<string> {
    return (await this.#fresh(media)).url;
  }

  /** The same for its thumbnail; of what has none, its own. */
  async thumbnailUrl(media: string): Promise<string> {
    const { thumbnailUrl, url } = await this.#fresh(media);
    return thumbnailUrl ?? url;
  }

  /** Deletes a file of the user's own, for the messages that name it, too. */
  async remove(media: string): Promise<void> {
    this.#known.delete(media);
    await this.#http.send({ method: "DELETE", path: path(media) });
  }

  async #whole(blob: Blob, name: string, options: UploadOptions): Promise<MediaFile> {
    const response = await this.#http.send({
      method: "POST",
      path: `media?name=${encodeURIComponent(name)}`,
      headers: { "content-type": "application/octet-stream" },
      body: blob,
      signal: options.signal,
    });
    const file = this.#learn(await response.json());
    options.onProgress?.(blob.size, blob.size);
    return file;
  }

  async #pieces(
    blob: Blob,
    { key, name }: { key: string; name: string },
    options: UploadOptions,
  ): Promise<MediaFile> {
    const { signal, onProgress } = options;
    let { media, offset } = await this.#begin(blob, key, name, signal);
    onProgress?.(offset, blob.size);
    for (let failures = 0; offset < blob.size;) {
      try {
        offset = await this.#piece(blob, media, offset, signal);
        failures = 0;
        onProgress?.(offset, blob.size);
      } catch (error) {
        failures += 1;
        const conflict = error instanceof AnserError && error.codeName === "UPLOAD_CONFLICT";
        const gone = error instanceof AnserError && error.codeName === "NOT_FOUND";
        if (gone) this.#out.forget(key);
        if ((!conflict && !mayRetry(error)) || failures >= TRIES) throw error;
        await this.#http.pause(failures, error, signal);
        // What arrived of the piece is kept: the server says from where it goes on.
        offset = (await this.#offset(media, signal)) ?? offset;
      }
    }
    const file = await this.file(media);
    this.#out.forget(key);
    return file;
  }

  /** Goes on with the upload of this key, or begins one. */
  async #begin(
    blob: Blob,
    key: string,
    name: string,
    signal: AbortSignal | undefined,
  ): Promise<{ media: string; offset: number }> {
    const uploads = await this.#out.uploads();
    const known = uploads.find((one) => one.key === key && one.bytes === blob.size);
    const offset = known && (await this.#offset(known.media, signal));
    if (known && offset !== undefined) return { media: known.media, offset };
    const response = await this.#http.send({
      method: "POST",
      path: "media/uploads",
      headers: {
        ...TUS,
        "upload-length": String(blob.size),
        ...(name && { "upload-metadata": `filename ${base64(name)}` }),
      },
      signal,
    });
    const media = response.headers.get("location")?.split("/").at(-1);
    if (!media) throw brokenProtocol("an upload without a location");
    const createdTime = Math.round(this.#out.environment.wallClock());
    const oldest = [...uploads].sort((a, b) => b.createdTime - a.createdTime);
    for (const one of oldest.slice(UPLOADS_MAX - 1)) this.#out.forget(one.key);
    this.#out.keep({ key, media, name, bytes: blob.size, createdTime });
    return { media, offset: 0 };
  }

  /** How far an upload is; `undefined`: there is none any more. */
  async #offset(media: string, signal: AbortSignal | undefined): Promise<number | undefined> {
    const request = { method: "HEAD", path: uploadPath(media), headers: TUS, signal };
    try {
      return offsetOf(await this.#http.send(request));
    } catch (error) {
      if (error instanceof AnserError && error.codeName === "NOT_FOUND") return undefined;
      throw error;
    }
  }

  async #piece(
    blob: Blob,
    media: string,
    offset: number,
    signal: AbortSignal | undefined,
  ): Promise<number> {
    const response = await this.#http.once({
      method: "PATCH",
      path: uploadPath(media),
      headers: {
        ...TUS,
        "upload-offset": String(offset),
        "content-type": "application/offset+octet-stream",
      },
      // Without a type: it would be sent instead of the one above.
      body: blob.slice(offset, offset + PIECE_BYTES, ""),
      signal,
    });
    return offsetOf(response);
  }

  async #fresh(media: string): Promise<MediaFile> {
    const known = this.#known.get(media);
    if (known) {
      const file = await known;
      if (file.urlExpires - FRESH_MS > this.#out.environment.wallClock()) return file;
    }
    const asked = this.file(media);
    this.#remember(media, asked);
    return asked;
  }

  #learn(json: unknown): MediaFile {
    const wire = json as WireMedia;
    if (typeof wire.media !== "string") throw brokenProtocol("a file without an id");
    const thumbnail = wire.thumbnail_url;
    const file = {
      media: wire.media,
      name: wire.name,
      bytes: wire.bytes,
      contentType: wire.content_type,
      width: wire.width,
      height: wire.height,
      createdTime: wire.created_time,
      url: this.#http.address(wire.url ?? ""),
      thumbnailUrl: thumbnail === undefined ? undefined : this.#http.address(thumbnail),
      urlExpires: wire.url_expires ?? 0,
    };
    if (wire.ready) this.#remember(file.media, Promise.resolve(file));
    return file;
  }

  #remember(media: string, file: Promise<MediaFile>): void {
    this.#known.delete(media);
    this.#known.set(media, file);
    // What failed is asked for again.
    file.catch(() => this.#known.get(media) === file && this.#known.delete(media));
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= KNOWN_MAX) break;
      this.#known.delete(oldest);
    }
  }
}

interface WireMedia {
  readonly media: string;
  readonly name: string;
  readonly bytes: number;
  readonly content_type: string;
  readonly width?: number;
  readonly height?: number;
  readonly ready: boolean;
  readonly created_time: number;
  readonly url?: string;
  readonly thumbnail_url?: string;
  readonly url_expires?: number;
}

function path(media: string): string {
  return `media/${encodeURIComponent(media)}`;
}

function uploadPath(media: string): string {
  return `media/uploads/${encodeURIComponent(media)}`;
}

function offsetOf(response: Response): number {
  const offset = Number(response.headers.get("upload-offset") ?? Number.NaN);
  if (!Number.isSafeInteger(offset)) throw brokenProtocol("an upload without an offset");
  return offset;
}

function base64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}
