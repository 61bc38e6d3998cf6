/** Files that are on their way to the server, and become messages of a conversation. */
import { type AnserClient, AnserError, imageContent } from "@anser-im/sdk";
import { useCallback, useEffect, useRef, useState } from "react";

/** Files that may be on their way at a time. */
const UPLOADS_MAX = 9;

export interface Upload {
  readonly id: number;
  readonly file: File;
  /** Of a picture: what it looks like, from this device. */
  readonly preview: string | undefined;
  /** Of all bytes, how many the server has: 0–1. */
  readonly done: number;
  readonly failed: boolean;
}

export interface Uploads {
  readonly all: readonly Upload[];
  add(files: Iterable<File>): void;
  retry(id: number): void;
  cancel(id: number): void;
}

export function useUploads(
  client: AnserClient,
  conversation: string,
  onProblem: (problem: string) => void,
): Uploads {
  const [all, setAll] = useState<readonly Upload[]>([]);
  const running = useRef(new Map<number, AbortController>());
  const count = useRef(0);

  useEffect(() => {
    const aborts = running.current;
    return () => {
      for (const abort of aborts.values()) abort.abort();
    };
  }, []);

  const change = useCallback((id: number, to: Partial<Upload>) => {
    setAll((before) => before.map((one) => (one.id === id ? { ...one, ...to } : one)));
  }, []);
  const remove = useCallback((id: number) => {
    setAll((before) => {
      const gone = before.find((one) => one.id === id);
      if (gone?.preview) URL.revokeObjectURL(gone.preview);
      return before.filter((one) => one.id !== id);
    });
  }, []);

  const start = useCallback(
    async (id: number, file: File) => {
      const abort = new AbortController();
      running.current.set(id, abort);
      try {
        const uploaded = await client.media.upload(file, {
          signal: abort.signal,
          onProgress: (sent, total) => change(id, { done: sent / total }),
        });
        // From here on it is a message like any other: it waits, fails and is sent again like one.
        client.send(conversation, imageContent(uploaded)).catch(() => {});
        remove(id);
      } catch (error) {
        if (error instanceof AnserError && error.codeName === "ABORTED") return;
        onProblem((error as Error).message);
        change(id, { failed: true });
      } finally {
        running.current.delete(id);
      }
    },
    [client, conversation, change, remove, onProblem],
  );

  const add = (files: Iterable<File>): void => {
    for (const file of [...files].slice(0, UPLOADS_MAX - all.length)) {
      const id = (count.current += 1);
      const preview = file.type.startsWith("image/") ? URL.createObjectURL(file) : undefined;
      setAll((before) => [...before, { id, file, preview, done: 0, failed: false }]);
      void start(id, file);
    }
  };
  const retry = (id: number): void => {
    const one = all.find((upload) => upload.id === id);
    if (!one) return;
    change(id, { failed: false });
    void start(id, one.file);
  };
  const cancel = (id: number): void => {
    running.current.get(id)?.abort();
    remove(id);
  };
  return { all, add, retry, cancel };
}
