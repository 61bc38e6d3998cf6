/** The built binary with an app whose door is open, for a test file. */
import { spawn } from "node:child_process";
import { createRequire } from "node:module";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";

// What else begins with ANSER_ is the server's own configuration.
const { ANSER_BIN: binary, ...environment } = process.env;
if (!binary) throw new Error("ANSER_BIN is the path of the server's binary");

export const appId = "anserCompatTest";
export const appKey = "anserCompatKey";
export const masterKey = "anserCompatMaster";

export class Server {
  static async start(env = {}) {
    const place = await mkdtemp(path.join(tmpdir(), "anser-compat-"));
    const args = ["serve", "--data", path.join(place, "data"), "--listen", "127.0.0.1:0"];
    const child = spawn(binary, [...args, "--ready-json"], {
      env: { ...environment, ANSER_MESSAGES_CLIENT_MESSAGES_PER_SECOND: "0", ...env },
      stdio: ["ignore", "pipe", "inherit"],
    });
    const server = new Server();
    Object.assign(server, { place, child });
    const lines = createInterface({ input: child.stdout });
    const gone = new Promise((_, reject) => {
      child.once("exit", (code) => reject(new Error(`the server ended with ${code}`)));
    });
    const [ready] = await Promise.race([once(lines, "line"), gone]);
    gone.catch(() => {});
    server.ready = JSON.parse(ready);
    await server.open({});
    return server;
  }

  get url() {
    return this.ready.url;
  }

  /** Sets the app's door up: open, and without signatures unless it is said otherwise. */
  async open(settings) {
    const { app_key: app, api_secret: secret } = this.ready;
    const body = {
      settings: {
        enabled: true,
        app_id: appId,
        app_key: appKey,
        master_key: masterKey,
        sign_login: false,
        ...settings,
      },
    };
    const answer = await fetch(`${this.url}/v1/apps/${app}/doors/leancloud`, {
      method: "PUT",
      headers: {
        authorization: `Basic ${Buffer.from(`${app}:${secret}`).toString("base64")}`,
        "content-type": "application/json",
      },
      body: JSON.stringify(body),
    });
    if (!answer.ok) throw new Error(`the door: ${answer.status} ${await answer.text()}`);
  }

  async stop() {
    const ended = once(this.child, "exit");
    this.child.kill("SIGTERM");
    await ended;
    await rm(this.place, { recursive: true, force: true });
  }
}

const require = createRequire(import.meta.url);

/** A copy of a package of its own. */
export function load(name) {
  const main = require.resolve(name);
  const folder = path.dirname(main);
  for (const file of Object.keys(require.cache)) {
    if (file.startsWith(folder)) delete require.cache[file];
  }
  return require(main);
}

/** The next event of this name, as the list of what it carries. Fails after a while. */
export function once(emitter, name, fits = () => true) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      emitter.off(name, listener);
      reject(new Error(`${name} did not come`));
    }, 8_000);
    const listener = (...what) => {
      if (!fits(...what)) return;
      clearTimeout(timer);
      emitter.off(name, listener);
      resolve(what);
    };
    emitter.on(name, listener);
  });
}

/** Waits until something is so. */
export async function until(what, is) {
  for (let tries = 0; tries < 400; tries++) {
    if (await is()) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`${what}: not in time`);
}
