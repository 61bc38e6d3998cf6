/**
 * The bodies of those types of content that everybody understands, as JSON objects: made for
 * `send`, and read out of a message. The server checks their shapes and refuses what has another.
 */
import type { MediaFile } from "./media.js";
import type { Content, Sendable } from "./types.js";

/** Where the bytes are: the id of an uploaded file, or an address. */
interface Source {
  /** See `media.upload`. */
  readonly media?: string;
  readonly url?: string;
  readonly name?: string;
  readonly bytes?: number;
}

interface Picture extends Source {
  /** Pixels; both or none. */
  readonly width?: number;
  readonly height?: number;
}

/** By type. Other members are the application's. */
export interface ContentBodies {
  image: Picture;
  voice: Source & { readonly duration_ms: number };
  video: Picture & { readonly duration_ms?: number; readonly thumbnail?: Source };
  file: Source & { readonly name: string };
  location: {
    /** Degrees. */
    readonly latitude: number;
    readonly longitude: number;
    readonly name?: string;
    readonly address?: string;
  };
  command: { readonly action: string };
}

/** Content of one of these types, for `send`. */
export function contentOf<T extends keyof ContentBodies>(
  type: T,
  body: ContentBodies[T],
): Sendable {
  return { type, body: JSON.stringify(body) };
}

/** The body of a content, if it is of this type. */
export function bodyOf<T extends keyof ContentBodies>(
  content: Content,
  type: T,
): ContentBodies[T] | undefined {
  if (content.type !== type) return undefined;
  try {
    const body: unknown = JSON.parse(new TextDecoder().decode(content.body));
    const isObject = typeof body === "object" && body !== null;
    return isObject ? (body as ContentBodies[T]) : undefined;
  } catch {
    // A content of this type that is no JSON was stored by something else than the server.
    return undefined;
  }
}

/** A picture that was uploaded. One that the server could not decode is sent as a file. */
export function imageContent(file: MediaFile): Sendable {
  const { media, name, bytes, width, height } = file;
  if (width === undefined || height === undefined) return fileContent(file);
  return contentOf("image", { media, bytes, width, height, ...(name && { name }) });
}

/** A file that was uploaded. */
export function fileContent({ media, name, bytes }: MediaFile): Sendable {
  return contentOf("file", { media, bytes, name: name || media });
}
