/** The built server as a process of its own, on a free port and a data directory of its own. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";

const BINARY =
  process.env.ANSER_BIN ?? fileURLToPath(new URL("../../../target/debug/anser", import.meta.url));
/** How long the server may take to be ready, in milliseconds. */
const READY_MS = 30_000;

/** What the server says when it is ready. */
interface Ready {
  readonly url: string;
  readonly ws: string;
  readonly app_key: string;
  readonly api_secret: string;
  readonly admin_token: string;
  readonly demo_url: string;
}

/** An app of the server, as its backend and its clients see it. */
export class App {
  readonly #secret: string;

  constructor(
    readonly url: string,
    readonly ws: string,
    readonly key: string,
    secret: string,
  ) {
    this.#secret = secret;
  }

  /** A request of the server API, as an application's backend makes it. */
  api(method: string, path: string, body?: unknown): Promise<unknown> {
    const secret = Buffer.from(`${this.key}:${this.#secret}`).toString("base64");
    return request(new URL(path, this.url), method, `Basic ${secret}`, body);
  }

  /** The same with another secret. */
  with(secret: string): App {
    return new App(this.url, this.ws, this.key, secret);
  }

  async token(user: string): Promise<string> {
    const path = `/v1/users/${encodeURIComponent(user)}/token`;
    return ((await this.api("POST", path)) as { token: string }).token;
  }
}

type Running = ChildProcessByStdio<null, Readable, null>;

export class Server {
  #ready: Ready;
  #process: Running;
  readonly #data: string;

  private constructor(process: Running, ready: Ready, data: string) {
    this.#process = process;
    this.#ready = ready;
    this.#data = data;
  }

  static async start(): Promise<Server> {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: build it, or set ANSER_BIN`);
    const data = await mkdtemp(join(tmpdir(), "anser-e2e-"));
    const { process, ready } = await launch(data, "127.0.0.1:0");
    return new Server(process, ready, data);
  }

  get url(): string {
    return this.#ready.url;
  }

  get ws(): string {
    return this.#ready.ws;
  }

  get demoUrl(): string {
    return this.#ready.demo_url;
  }

  /** Ends the process without a word, as a power cut does. */
  async kill(): Promise<void> {
    this.#process.kill("SIGKILL");
    if (this.#process.exitCode === null && this.#process.signalCode === null) {
      await once(this.#process, "exit");
    }
  }

  /** Starts it again, at the same address on the same data. */
  async restart(): Promise<void> {
    const { process, ready } = await launch(this.#data, new URL(this.url).host);
    this.#process = process;
    // The secret is told only when it is made.
    this.#ready = { ...this.#ready, ...ready, api_secret: this.#ready.api_secret };
  }

  /** Ends it for good and removes its data. */
  async remove(): Promise<void> {
    await this.kill();
    await rm(this.#data, { recursive: true, force: true });
    await rm(logOf(this.#data), { force: true });
  }

  /** The app that the server began with. */
  get app(): App {
    const { app_key, api_secret } = this.#ready;
    return new App(this.url, this.ws, app_key, api_secret);
  }

  /** Another app, with settings of its own. */
  async createApp(settings: Readonly<Record<string, unknown>>): Promise<App> {
    const made = (await this.#admin("POST", "/v1/apps", {})) as {
      app: { app_key: string };
      api_secret: { secret: string };
    };
    await this.settings(made.app.app_key, settings);
    return new App(this.url, this.ws, made.app.app_key, made.api_secret.secret);
  }

  /** Another key of an app: what signs its tokens, or its backend's requests. */
  async newKey(
    app: string,
    kind: "api-secrets" | "token-keys",
  ): Promise<{ id: string; secret: string }> {
    const made = await this.#admin("POST", `/v1/apps/${app}/${kind}`, undefined);
    return made as { id: string; secret: string };
  }

  /** Changes the settings of an app, as an operator does. */
  async settings(app: string, settings: Readonly<Record<string, unknown>>): Promise<void> {
    await this.#admin("PATCH", `/v1/apps/${app}/settings`, settings);
  }

  #admin(method: string, path: string, body: unknown): Promise<unknown> {
    return request(new URL(path, this.url), method, `Bearer ${this.#ready.admin_token}`, body);
  }

  api(method: string, path: string, body?: unknown): Promise<unknown> {
    return this.app.api(method, path, body);
  }

  token(user: string): Promise<string> {
    return this.app.token(user);
  }
}

async function request(
  url: URL,
  method: string,
  authorization: string,
  body: unknown,
): Promise<unknown> {
  const response = await fetch(url, {
    method,
    headers: {
      authorization,
      ...(body !== undefined && { "content-type": "application/json" }),
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${url.pathname}: ${response.status} ${text}`);
  return text === "" ? undefined : JSON.parse(text);
}

function logOf(data: string): string {
  return `${data}.log`;
}

async function launch(data: string, listen: string) {
  const args = ["serve", "--data", data, "--listen", listen, "--ready-json"];
  // Variables named ANSER_… configure the server, and it refuses those that it does not know.
  const env = Object.entries(process.env).filter(([name]) => !name.startsWith("ANSER_"));
  const log = openSync(logOf(data), "a");
  const stdio: ["ignore", "pipe", number] = ["ignore", "pipe", log];
  const child = spawn(BINARY, args, { stdio, env: Object.fromEntries(env) }) as Running;
  closeSync(log);
  const ready = new Promise<Ready>((resolve, reject) => {
    const timeout = setTimeout(() => reject(new Error("the server is not ready")), READY_MS);
    createInterface(child.stdout).once("line", (line) => {
      clearTimeout(timeout);
      resolve(JSON.parse(line) as Ready);
    });
    child.once("exit", (code) => {
      const said = readFileSync(logOf(data), "utf8").slice(-2_000);
      reject(new Error(`the server ended with ${code}: ${said}`));
    });
  });
  return { process: child, ready: await ready };
}
