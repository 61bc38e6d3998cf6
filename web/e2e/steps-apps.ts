/** Steps about apps, their secrets and tokens: what operators and backends do. */
import { createHmac } from "node:crypto";

import { AnserClient } from "../sdk/src/index.js";
import type { Args } from "./scenarios.js";
import { type Stage, named } from "./stage.js";

/** Of an app that there is not. */
const NOBODYS_KEY = "4000000000.1";

type Step = (stage: Stage, args: Args) => Promise<unknown>;

/** A JWT, as an application's backend signs one. */
function sign(keyId: string, secret: string, claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const signed = `${part({ alg: "HS256", typ: "JWT", kid: keyId })}.${part(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** A token of the kind that is named: signed by the app's backend, or kept from before. */
async function tokenOf({ server, app, names }: Stage, user: string, kind: string): Promise<string> {
  if (!["signed", "expired", "forged", "other-app"].includes(kind))
    return names.kept("token", kind);
  const now = Math.floor(Date.now() / 1_000);
  const iat = kind === "expired" ? now - 3_600 : now;
  const { id, secret } = await server.newKey(app.key, "token-keys");
  const claims = { aud: app.key, sub: user, iat, exp: iat + 600 };
  const keyId = kind === "other-app" ? NOBODYS_KEY : id;
  return sign(keyId, kind === "forged" ? "not the secret" : secret, claims);
}

export const APPS: Record<string, Step> = {
  async api({ app, shared, names }, args) {
    const path = args.path.replace(/\{(\w+):([^}]+)\}/g, (_, kind: string, id: string) =>
      encodeURIComponent(kind === "in" ? names.conversation(id) : names.user(id)),
    );
    const of = args.of ? shared : app;
    const { secret = "first" } = args;
    const caller = secret === "first" ? of : of.with(names.kept("secret", secret));
    const answer = await caller.api(args.method, path, named(args.body, names));
    const seen = (answer ?? {}) as Record<string, unknown>;
    for (const [key, wanted] of Object.entries(named(args.answer ?? {}, names))) {
      const [is, should] = [JSON.stringify(seen[key]), JSON.stringify(wanted)];
      if (is !== should) throw new Error(`${key} is ${is}, not ${should}`);
    }
  },
  async new_secret({ server, app, names }, args) {
    names.keep("secret", args.as, (await server.newKey(app.key, "api-secrets")).secret);
  },
  async keep_token({ app, names }, args) {
    names.keep("token", args.as, await app.token(names.user(args.user)));
  },
  /** A device comes with this token, and goes. */
  async sign_in(stage, args) {
    const user = stage.names.user(args.user);
    const token = await tokenOf(stage, user, args.token);
    const url = stage.app.ws;
    const client = new AnserClient({ url, token, deviceId: `${user}-visit` });
    try {
      await client.connect();
    } finally {
      client.close();
    }
  },
};
