/** The scenarios of `scenarios/`, read and checked, and the page that lists them. */
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

import { Ajv } from "ajv";
import { parse } from "yaml";

import type {
  GroupRight,
  JoinMode,
  Json,
  JsonObject,
  Mute,
  RelationList,
} from "../sdk/src/index.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const FOLDER = `${ROOT}scenarios/native/`;
export const PAGE = `${ROOT}docs/scenarios.md`;

/** A message as an expectation names it; what is absent is not looked at. */
export type Shown = string | Readonly<Record<string, unknown>>;

/** What stands beside the name of a step. The schema says which step has what. */
export interface Args {
  readonly by: string | readonly string[];
  readonly on: string | readonly string[];
  readonly in: string;
  readonly to: string;
  readonly group: string;
  readonly user: string;
  readonly seq: number;
  readonly seqs: readonly number[];
  readonly text?: string;
  readonly type?: string;
  readonly body?: string;
  readonly id?: string;
  readonly times?: number;
  /** So long a text instead. */
  readonly bytes?: number;
  readonly mention?: "all" | readonly string[];
  readonly overrides_mute?: boolean;
  readonly targets?: readonly string[];
  readonly uncounted?: boolean;
  readonly receipt_wanted?: boolean;
  readonly burn_after?: number;
  readonly read_up_to?: number;
  readonly put?: Readonly<Record<string, string>>;
  readonly remove?: unknown;
  readonly reaction: string;
  readonly up_to?: number;
  readonly pinned?: boolean;
  /** Of all in a group; or what one wants of a conversation. */
  readonly muted?: boolean | Mute;
  readonly hidden?: boolean;
  readonly marks?: readonly string[];
  readonly draft?: string;
  readonly with_history?: boolean;
  readonly name?: string;
  readonly members: readonly string[];
  readonly users: readonly string[];
  readonly owner: string;
  readonly role: string;
  readonly rights?: readonly GroupRight[];
  readonly nickname?: string;
  readonly announcement?: string;
  readonly portrait?: string;
  /** Of a group; or into a conversation. */
  readonly join?: JoinMode | true;
  readonly invitations_need_acceptance?: boolean;
  readonly only_admins_invite?: boolean;
  readonly history_visible?: boolean;
  readonly lift?: boolean;
  readonly message?: string;
  readonly joined: boolean;
  readonly approve: boolean;
  readonly accept: boolean;
  readonly method: string;
  readonly path: string;
  readonly refused?: string;
  /** What the answer of the server API says, at least. */
  readonly answer?: Readonly<Record<string, unknown>>;
  readonly secret?: string;
  readonly of: number | "shared";
  readonly token: string;
  readonly texts: readonly string[];
  readonly since?: number;
  readonly until?: number;
  readonly messages: readonly Shown[];
  readonly before?: number;
  readonly after?: number;
  readonly limit?: number;
  readonly unread: number;
  readonly mentions?: number;
  readonly conversations: readonly string[];
  readonly types: readonly string[];
  readonly acknowledged?: boolean;
  readonly told: readonly string[];
  /** Is tried again until it goes as it should. */
  readonly eventually?: boolean;
  readonly seconds?: number;
  /** What a scenario calls what the server names. */
  readonly as: string;
  readonly attributes?: JsonObject;
  readonly public?: boolean;
  readonly unique?: boolean;
  readonly temporary?: boolean;
  readonly reused?: boolean;
  readonly invite?: readonly string[];
  readonly leave?: true;
  readonly update?: {
    readonly name?: string;
    readonly set?: Readonly<Record<string, Json>>;
    readonly unset?: readonly string[];
    readonly public?: boolean;
    readonly open?: boolean;
    readonly muted?: boolean;
    readonly history_visible?: boolean;
  };
  readonly set_role?: { readonly users: readonly string[]; readonly role: "admin" | "member" };
  readonly mute?: UsersFor | readonly string[];
  readonly block?: UsersFor;
  readonly transfer?: string;
  readonly dismiss?: true;
  readonly filter?: unknown;
  readonly sort?: readonly string[];
  readonly skip?: number;
  readonly matched?: number;
  readonly list: RelationList;
  readonly add?: readonly string[];
  readonly allow_only?: boolean;
  readonly status?: string;
  readonly end?: boolean;
  readonly query?: string;
  readonly sender?: string;
  readonly code: string;
  readonly room: string;
  readonly newest?: number;
  readonly low?: boolean;
  readonly tell_dropped?: boolean;
  readonly dropped?: boolean;
  readonly set?: Readonly<Record<string, string>>;
  readonly delete?: readonly string[];
  /** Attributes go with who sets them. */
  readonly leaves?: boolean;
  readonly force?: boolean;
  readonly unmute?: readonly string[];
  readonly lift_ban?: readonly string[];
  readonly mute_all?: boolean;
  readonly words?: string;
  readonly forward?: boolean;
  readonly newest_first?: boolean;
  readonly notices: readonly string[];
  readonly reason: string;
  readonly media: string;
  /** Of `scenarios/files`. */
  readonly file?: string;
}

/** Users, and for how long. */
interface UsersFor {
  readonly users: readonly string[];
  readonly seconds?: number;
  readonly lift?: boolean;
}

/** One step: its name, and what stands beside it. */
export type Step = Readonly<Record<string, Args>>;

export interface Scenario {
  readonly file: string;
  readonly name: string;
  readonly rows: readonly string[];
  readonly devices: readonly string[];
  readonly users?: readonly string[];
  /** It has an app of its own, with these settings. */
  readonly app?: Readonly<Record<string, unknown>>;
  readonly steps: readonly Step[];
}

/** Every scenario, in the order of files and within them. Throws what is wrong with one. */
export function scenarios(): readonly Scenario[] {
  const schema = JSON.parse(readFileSync(`${FOLDER}scenario.schema.json`, "utf8")) as object;
  const validate = new Ajv({ allowUnionTypes: true }).compile<Omit<Scenario, "file">[]>(schema);
  const files = readdirSync(FOLDER).filter((name) => name.endsWith(".yaml"));
  return files.sort().flatMap((file) => {
    const data: unknown = parse(readFileSync(FOLDER + file, "utf8"));
    if (!validate(data)) {
      const [first] = validate.errors ?? [];
      throw new Error(`${file}${first?.instancePath}: ${first?.message}`);
    }
    return data.map((one) => ({ ...one, file }));
  });
}

/** The page, or what is wrong: a row without a scenario, or a scenario of no row. */
export function page(): string {
  const rows = parse(readFileSync(`${ROOT}scenarios/rows.yaml`, "utf8")) as Record<string, string>;
  const all = scenarios();
  const names = new Set<string>();
  for (const { file, name, rows: proven } of all) {
    const unknown = proven.find((row) => !(row in rows));
    if (unknown) throw new Error(`${file}: ${name}: rows.yaml has no row ${unknown}`);
    if (names.has(name)) throw new Error(`${file}: two scenarios are called ${name}`);
    names.add(name);
  }
  const lines = Object.entries(rows).map(([row, title]) => {
    const proving = all.filter((one) => one.rows.includes(row));
    if (proving.length === 0) throw new Error(`row ${row}, ${title}, has no scenario`);
    const links = proving.map(
      ({ file, name }) => `- ${name} ([${file}](../scenarios/native/${file}))`,
    );
    return `## ${row} ${title}\n\n${links.join("\n")}\n`;
  });
  return `<!-- Generated from scenarios/ by \`npm --prefix web run scenarios\`. -->
# Scenarios

What the product does, by capability, and the scenarios that prove it: each is data, [carried out
on the built binary](../scenarios/README.md) by both SDKs: TypeScript with
\`npm --prefix web run e2e:browser\`, Rust with
\`cargo test -p anser-server --test it scenarios\`. It has those capabilities that
[rows.yaml](../scenarios/rows.yaml) lists, which are not all that are built; of those listed, one
without a scenario fails the build. The numbers are names by which scenarios say
what they prove, and say nothing more.

${lines.join("\n")}`;
}
