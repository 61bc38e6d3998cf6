/** Steps about files, and what is looked at of them. */
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

import type { Args } from "./scenarios.js";
import { type Command, type Look, part } from "./stage.js";

const FILES = fileURLToPath(new URL("../../scenarios/files/", import.meta.url));

/** A file of the scenarios, or so many bytes of nothing in particular. */
function contents({ file, bytes = 0 }: Args): Uint8Array<ArrayBuffer> {
  if (file !== undefined) return new Uint8Array(readFileSync(FILES + file));
  return Uint8Array.from({ length: bytes }, (_, i) => i % 251);
}

export const MEDIA: Record<string, Command> = {
  async upload({ names }, args, { client }) {
    const { media } = await client.media.upload(contents(args), {
      ...(args.name !== undefined && { name: args.name }),
    });
    names.uploaded(args.as, media);
  },
  remove_media: ({ names }, { media }, { client }) => client.media.remove(names.media(media)),
};

export const MEDIA_LOOKS: Record<string, Look> = {
  async expect_media({ names }, args, { client }) {
    const file = await client.media.file(names.media(args.media));
    const response = await fetch(file.url);
    const back = Buffer.from(await response.arrayBuffer());
    const thumbnail = file.thumbnailUrl && (await fetch(file.thumbnailUrl));
    const seen = {
      name: file.name,
      content_type: file.contentType,
      width: file.width,
      height: file.height,
      thumbnail: thumbnail ? thumbnail.headers.get("content-type") === "image/jpeg" : false,
      ...(args.file !== undefined && { file: same(back, args) ? args.file : "others" }),
      ...(args.bytes !== undefined && { bytes: same(back, args) ? args.bytes : back.length }),
    };
    return part(seen, args, "media");
  },
};

function same(back: Buffer, args: Args): boolean {
  return back.equals(contents(args));
}
