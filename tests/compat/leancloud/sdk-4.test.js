/**
 * The release that `npm install` takes by default. It speaks TLS only, and trusts an authority that
 * Node is told of at its start: so the chapters run in a process of their own.
 */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { certificate } from "./tls.js";

test("the chapters over TLS", async () => {
  const tls = certificate();
  const run = fileURLToPath(new URL("sdk-4.js", import.meta.url));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  // This release goes on trying to connect when the server has stopped.
  const child = spawn(process.execPath, ["--test-reporter=spec", "--test-force-exit", run], {
    env: {
      ...env,
      NODE_EXTRA_CA_CERTS: tls.authority,
      ANSER_TLS_CERT: tls.cert,
      ANSER_TLS_KEY: tls.key,
    },
    stdio: ["ignore", "inherit", "inherit"],
  });
  const [code] = await once(child, "exit");
  rmSync(tls.place, { recursive: true });
  if (code !== 0) throw new Error(`the chapters ended with ${code}`);
});
