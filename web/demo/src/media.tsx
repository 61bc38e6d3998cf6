/** Pictures and files in a conversation: those that were sent, and those on their way. */
import { type AnserClient, type Content, bodyOf } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { fileSize } from "./format.js";
import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";
import { Lightbox } from "./lightbox.js";
import type { Upload, Uploads } from "./use-uploads.js";

/** The longest side that a picture is shown with, in pixels: the thumbnail's. */
const SIDE_MAX = 320;

/** Is there something else to show of it than a text? */
export function isMedia(content: Content): boolean {
  return bodyOf(content, "image") !== undefined || bodyOf(content, "file") !== undefined;
}

export function Media({ client, content }: { client: AnserClient; content: Content }) {
  const image = bodyOf(content, "image");
  if (image) return <Picture client={client} {...image} />;
  const file = bodyOf(content, "file");
  return file ? <FileLink client={client} {...file} /> : null;
}

interface PictureProps {
  client: AnserClient;
  media?: string;
  url?: string;
  name?: string;
  width?: number;
  height?: number;
}

function Picture({ client, media, url, name, width, height }: PictureProps) {
  const words = useWords();
  const small = useAddress(client, media, url, "thumbnailUrl");
  const [open, setOpen] = useState(false);
  const label = name || words.picture;
  return (
    <>
      <button
        className="picture"
        type="button"
        aria-label={words.openPicture(label)}
        style={sizeOf(width, height)}
        onClick={() => setOpen(true)}
      >
        {small.address && <img src={small.address} alt={label} draggable={false} />}
        {small.failed && <span className="picture-gone">{words.pictureGone}</span>}
      </button>
      {open && (
        <WholePicture
          client={client}
          media={media}
          url={url}
          label={label}
          onClose={() => setOpen(false)}
        />
      )}
    </>
  );
}

interface WholeProps {
  client: AnserClient;
  media: string | undefined;
  url: string | undefined;
  label: string;
  onClose(): void;
}

function WholePicture({ client, media, url, label, onClose }: WholeProps) {
  const { address } = useAddress(client, media, url, "url");
  return <Lightbox address={address} label={label} onClose={onClose} />;
}

/** As large as it will be, before it is here, so that nothing moves when it comes. */
function sizeOf(width = SIDE_MAX, height = SIDE_MAX): { width: number; aspectRatio: string } {
  const scale = Math.min(1, SIDE_MAX / Math.max(width, height, 1));
  return { width: Math.max(48, Math.round(width * scale)), aspectRatio: `${width} / ${height}` };
}

function useAddress(
  client: AnserClient,
  media: string | undefined,
  url: string | undefined,
  variant: "url" | "thumbnailUrl",
): { address: string | undefined; failed: boolean } {
  const [found, setFound] = useState({ address: url, failed: false });
  useEffect(() => {
    if (media === undefined) return;
    let current = true;
    client.media[variant](media).then(
      (address) => current && setFound({ address, failed: false }),
      () => current && setFound({ address: undefined, failed: true }),
    );
    return () => {
      current = false;
    };
  }, [client, media, variant]);
  return found;
}

interface FileProps {
  client: AnserClient;
  media?: string;
  url?: string;
  name: string;
  bytes?: number;
}

function FileLink({ client, media, url, name, bytes }: FileProps) {
  const words = useWords();
  const open = async (): Promise<void> => {
    const address =
      media === undefined ? url : await client.media.url(media).catch(() => undefined);
    if (address) download(address, name);
  };
  return (
    <button
      className="file"
      type="button"
      aria-label={words.openFile(name)}
      onClick={() => void open()}
    >
      <Icon name="file" />
      <span className="file-name">{name}</span>
      {bytes !== undefined && <small>{fileSize(bytes)}</small>}
    </button>
  );
}

function download(address: string, name: string): void {
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
}

/** Those on their way stand below the messages, as what is being sent does. */
export function Uploading({ uploads }: { uploads: Uploads }) {
  return uploads.all.map((one) => <OneUpload key={one.id} upload={one} uploads={uploads} />);
}

function OneUpload({ upload, uploads }: { upload: Upload; uploads: Uploads }) {
  const words = useWords();
  const { id, file, preview, done, failed } = upload;
  const percent = Math.round(done * 100);
  return (
    <li
      className={`message message-mine ${failed ? "message-failed" : "message-sending"}`}
      data-upload={failed ? "failed" : "sending"}
    >
      {preview ? (
        <span className="picture picture-sending">
          <img src={preview} alt={file.name} />
        </span>
      ) : (
        <p className="bubble">{file.name}</p>
      )}
      {!failed && (
        <progress className="upload-progress" max={100} value={percent} aria-label={file.name} />
      )}
      <span className="message-foot" role={failed ? "alert" : undefined}>
        <Icon name={failed ? "alert" : "clock"} />
        {failed ? words.failed : words.uploading(percent)}
        {failed && (
          <button type="button" onClick={() => uploads.retry(id)}>
            {words.retry}
          </button>
        )}
        <button type="button" onClick={() => uploads.cancel(id)}>
          {words.discard}
        </button>
      </span>
    </li>
  );
}
