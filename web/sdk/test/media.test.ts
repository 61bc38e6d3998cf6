/** Files: in one request, in pieces, after failures and in a later page. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { AnserClient } from "../src/client.js";
import { bodyOf, contentOf, fileContent, imageContent } from "../src/contents.js";
import { PIECE_BYTES } from "../src/media.js";
import { MemoryDatabase } from "../src/store/memory.js";
import { processLocks } from "../src/store/tabs.js";
import { contentFrom } from "../src/wire.js";
import { MiniServer } from "./mini-server.js";
import { World } from "./world.js";

const ID = "0123456789abcdef0123456789abcdef";

type Judge = (method: string, path: string) => Response | "cut" | "half" | undefined;

/** What of the server answers requests for files, as `docs/guide/media.md` says. */
class MiniMedia {
  readonly requests: string[] = [];
  readonly tokens: string[] = [];
  readonly uploads = new Map<string, { total: number; bytes: Uint8Array; name: string }>();
  judge: Judge = () => undefined;
  expires = 0;

  fetch = async (url: string, init: RequestInit): Promise<Response> => {
    const { pathname, searchParams } = new URL(url);
    const method = init.method ?? "GET";
    const headers = new Headers(init.headers);
    this.requests.push(`${method} ${pathname.replace(/^\/v1\//, "")}`);
    this.tokens.push(headers.get("authorization") ?? "");
    const verdict = this.judge(method, pathname);
    if (verdict === "cut") throw new TypeError("network");
    if (verdict instanceof Response) return verdict;
    const body = new Uint8Array(await new Response(init.body ?? null).arrayBuffer());
    const id = pathname.split("/").at(-1) ?? "";
    if (method === "POST") {
      const media = ID.slice(0, 31) + String(this.uploads.size + 1);
      if (pathname === "/v1/media") {
        const name = searchParams.get("name") ?? "";
        this.uploads.set(media, { total: body.length, bytes: body, name });
        return Response.json(this.#json(media), { status: 201 });
      }
      const [, name = ""] = (headers.get("upload-metadata") ?? "").split(" ");
      const total = Number(headers.get("upload-length"));
      this.uploads.set(media, { total, bytes: new Uint8Array(), name: atob(name) });
      return new Response(null, {
        status: 201,
        headers: { location: `/v1/media/uploads/${media}` },
      });
    }
    const upload = this.uploads.get(id);
    if (!upload) return refusal(404, 3010, "NOT_FOUND");
    if (method === "DELETE") {
      this.uploads.delete(id);
      return new Response(null, { status: 204 });
    }
    if (method === "PATCH") {
      if (Number(headers.get("upload-offset")) !== upload.bytes.length) {
        return refusal(409, 3062, "UPLOAD_CONFLICT");
      }
      const arrived = verdict === "half" ? body.slice(0, body.length / 2) : body;
      upload.bytes = new Uint8Array([...upload.bytes, ...arrived]);
      if (verdict === "half") throw new TypeError("network");
    }
    if (method === "GET") return Response.json(this.#json(id));
    const offset = { "upload-offset": String(upload.bytes.length) };
    return new Response(null, { status: method === "HEAD" ? 200 : 204, headers: offset });
  };

  #json(media: string): unknown {
    const { total, name } = this.uploads.get(media) ?? { total: 0, name: "" };
    return {
      media,
      name,
      bytes: total,
      content_type: "image/png",
      width: 640,
      height: 480,
      ready: true,
      created_time: 5,
      url: `/v1/media/${media}/content?app=1`,
      thumbnail_url: `/v1/media/${media}/thumbnail?app=1`,
      url_expires: this.expires,
    };
  }
}

function refusal(status: number, code: number, name: string, retry_after_ms = 0): Response {
  const error = { code, name, message: "", retry_after_ms };
  return Response.json({ error }, { status });
}

function setup(database = new MemoryDatabase(), world = new World()) {
  const files = new MiniMedia();
  const server = new MiniServer(world.wallClock);
  const tokens: string[] = [];
  const client = new AnserClient({
    url: "http://fake",
    token: async () => {
      tokens.push(`token ${tokens.length + 1}`);
      return tokens.at(-1) ?? "";
    },
    deviceId: "d",
    database,
    locks: processLocks(),
    transport: (_url, _protocol, events) => server.connect(events),
    environment: Object.assign(world, { fetch: files.fetch }),
  });
  files.expires = world.wallClock() + 3_600_000;
  return { client, files, world, tokens };
}

/** Lets time pass until a promise is settled. */
async function settled<T>(
  world: World,
  promise: Promise<T>,
): Promise<{ value?: T; code?: number }> {
  const ended: { value?: T; code?: number; done?: boolean } = {};
  promise.then(
    (value) => Object.assign(ended, { value, done: true }),
    (error: { code?: number }) => Object.assign(ended, { code: error.code ?? -1, done: true }),
  );
  for (let i = 0; i < 500 && !ended.done; i++) await world.pass(1_000);
  assert.ok(ended.done, "it did not end");
  delete ended.done;
  return ended;
}

function bytes(count: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: count }, (_, i) => i % 251);
}

test("what is small goes in one request, with the token of the client", async () => {
  const { client, files, world } = setup();
  const told: number[] = [];
  const { value } = await settled(
    world,
    client.media.upload(bytes(10), { name: "a b.png", onProgress: (sent) => told.push(sent) }),
  );
  assert.deepEqual(files.requests, ["POST media"]);
  assert.deepEqual(files.tokens, ["Bearer token 1"]);
  assert.deepEqual([value?.name, value?.bytes, value?.width], ["a b.png", 10, 640]);
  assert.equal(value?.url, `http://fake/v1/media/${value?.media}/content?app=1`);
  assert.deepEqual(told, [0, 10]);
  assert.deepEqual(files.uploads.get(value?.media ?? "")?.bytes, bytes(10));
});

test("what is large goes in pieces, and tells how far it is", async () => {
  const { client, files, world } = setup();
  const all = bytes(PIECE_BYTES * 2 + 5);
  const told: number[] = [];
  const { value } = await settled(
    world,
    client.media.upload(new File([all], "雁.bin"), { onProgress: (sent) => told.push(sent) }),
  );
  assert.deepEqual(told, [0, 0, PIECE_BYTES, PIECE_BYTES * 2, all.length]);
  assert.deepEqual(files.uploads.get(value?.media ?? "")?.bytes, all);
  const name = files.uploads.get(value?.media ?? "")?.name ?? "";
  assert.equal(Buffer.from(name, "latin1").toString("utf8"), "雁.bin");
  assert.deepEqual(await client.local.uploads(), []);
});

test("a piece that was cut off goes on from what arrived", async () => {
  const { client, files, world } = setup();
  const all = bytes(PIECE_BYTES + 1_000);
  let cuts = 0;
  files.judge = (method) => (method === "PATCH" && ++cuts === 1 ? "half" : undefined);
  const { value } = await settled(world, client.media.upload(all, { key: "k" }));
  assert.deepEqual(files.uploads.get(value?.media ?? "")?.bytes, all);
  assert.equal(files.requests.filter((one) => one.startsWith("HEAD")).length, 1);
});

test("a later page goes on where an earlier one was, with the same file", async () => {
  const database = new MemoryDatabase();
  const first = setup(database);
  const file = new File([bytes(PIECE_BYTES * 3)], "film.mp4", { lastModified: 7 });
  let pieces = 0;
  first.files.judge = (method) => (method === "PATCH" && ++pieces > 1 ? "cut" : undefined);
  const failed = await settled(first.world, first.client.media.upload(file));
  assert.equal(failed.code, 300);
  first.client.close();
  const second = setup(database);
  for (const [id, upload] of first.files.uploads) second.files.uploads.set(id, upload);
  const same = new File([bytes(PIECE_BYTES * 3)], "film.mp4", { lastModified: 7 });
  const told: number[] = [];
  const { value } = await settled(
    second.world,
    second.client.media.upload(same, { onProgress: (sent) => told.push(sent) }),
  );
  assert.deepEqual(told, [0, PIECE_BYTES, PIECE_BYTES * 2, PIECE_BYTES * 3]);
  assert.equal(second.files.requests[0], `HEAD media/uploads/${value?.media}`);
  assert.deepEqual(second.files.uploads.get(value?.media ?? "")?.bytes, bytes(PIECE_BYTES * 3));
  const other = new File([bytes(PIECE_BYTES * 3)], "film.mp4", { lastModified: 8 });
  await settled(second.world, second.client.media.upload(other));
  assert.equal(second.files.uploads.size, 2, "another file is another upload");
});

test("an upload that the server removed begins anew", async () => {
  const database = new MemoryDatabase();
  const upload = { key: "k", media: ID, name: "", bytes: PIECE_BYTES + 1, createdTime: 1 };
  database.write([{ put: "upload", upload }]);
  const { client, files, world } = setup(database);
  const { value } = await settled(world, client.media.upload(bytes(PIECE_BYTES + 1), { key: "k" }));
  assert.deepEqual(files.requests.slice(0, 2), [`HEAD media/uploads/${ID}`, "POST media/uploads"]);
  assert.notEqual(value?.media, ID);
});

test("a refused token is renewed once; other refusals come through", async () => {
  const { client, files, world, tokens } = setup();
  let refused = 0;
  files.judge = () => (++refused === 1 ? refusal(401, 2001, "TOKEN_EXPIRED") : undefined);
  const { value } = await settled(world, client.media.upload(bytes(3)));
  assert.ok(value);
  assert.deepEqual(tokens, ["token 1", "token 2"]);
  files.judge = () => refusal(413, 3060, "MEDIA_TOO_LARGE");
  assert.equal((await settled(world, client.media.upload(bytes(3)))).code, 3060);
  files.requests.length = 0;
  files.judge = () => refusal(429, 1003, "RATE_LIMITED", 5_000);
  assert.equal((await settled(world, client.media.upload(bytes(3)))).code, 1003);
  assert.equal(files.requests.length, 6, "and those for now are tried again, but not for ever");
  assert.equal((await settled(world, client.media.upload(bytes(0)))).code, 3000);
});

test("the application gives up, also while nothing goes", async () => {
  const { client, files, world } = setup();
  files.judge = () => "cut";
  const giveUp = new AbortController();
  const upload = settled(world, client.media.upload(bytes(3), { signal: giveUp.signal }));
  await world.settle();
  giveUp.abort();
  assert.equal((await upload).code, 520);
});

test("addresses are asked for once while they are good", async () => {
  const { client, files, world } = setup();
  const { value } = await settled(world, client.media.upload(bytes(3)));
  const media = value?.media ?? "";
  assert.equal(await client.media.url(media), value?.url);
  assert.match(await client.media.thumbnailUrl(media), /thumbnail/);
  assert.deepEqual(files.requests, ["POST media"]);
  await world.pass(3_600_000);
  files.expires = world.wallClock() + 3_600_000;
  await client.media.url(media);
  await client.media.url(media);
  assert.deepEqual(files.requests, ["POST media", `GET media/${media}`]);
  await client.media.remove(media);
  assert.equal((await settled(world, client.media.url(media))).code, 3010);
});

test("bodies of the types that everybody understands", async () => {
  const { client, world } = setup();
  const { value } = await settled(world, client.media.upload(bytes(3), { name: "g.png" }));
  assert.ok(value);
  const image = contentFrom(imageContent(value));
  assert.deepEqual(bodyOf(image, "image"), {
    media: value.media,
    bytes: 3,
    width: 640,
    height: 480,
    name: "g.png",
  });
  assert.equal(bodyOf(image, "file"), undefined);
  const undecodable = { ...value, width: undefined, height: undefined, name: "" };
  assert.equal(contentFrom(imageContent(undecodable)).type, "file");
  assert.equal(bodyOf(contentFrom(fileContent(undecodable)), "file")?.name, value.media);
  const place = contentFrom(contentOf("location", { latitude: 1, longitude: 2 }));
  assert.equal(bodyOf(place, "location")?.latitude, 1);
  const broken = { type: "image", body: new TextEncoder().encode("[") };
  assert.equal(bodyOf(broken, "image"), undefined);
});
