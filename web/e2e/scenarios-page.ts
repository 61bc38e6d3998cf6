/** Writes docs/scenarios.md; with `--check`, compares. */
import { readFileSync, writeFileSync } from "node:fs";

import { PAGE, page } from "./scenarios.js";

if (!process.argv.includes("--check")) {
  writeFileSync(PAGE, page());
} else if (readFileSync(PAGE, "utf8") !== page()) {
  throw new Error("docs/scenarios.md is not that of scenarios/: npm --prefix web run scenarios");
}
