import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

const sdk = fileURLToPath(new URL("..", import.meta.url));
const GENERATED = "src/gen/anser/client/v1/client_pb.ts";

test("the generated code is that of the .proto file", async () => {
  const out = await mkdtemp(join(tmpdir(), "anser-codegen-"));
  try {
    await promisify(execFile)("npm", ["run", "--silent", "codegen", "--", "-o", out], { cwd: sdk });
    const [fresh, kept] = await Promise.all(
      [out, sdk].map((root) => readFile(join(root, GENERATED), "utf8")),
    );
    assert.equal(kept, fresh, "run `npm run codegen`");
  } finally {
    await rm(out, { recursive: true });
  }
});
