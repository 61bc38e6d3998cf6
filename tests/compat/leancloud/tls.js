/** A certificate for this machine, from an authority made for the test. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

export function certificate() {
  const place = mkdtempSync(path.join(tmpdir(), "anser-compat-tls-"));
  const file = (name) => path.join(place, name);
  const openssl = (...args) => execFileSync("openssl", args, { stdio: "pipe" });
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  openssl("req", "-x509", ...key, "-keyout", file("ca.key"), "-out", file("ca.pem"),
    "-days", "2", "-subj", "/CN=Anser test authority");
  openssl("req", ...key, "-keyout", file("key.pem"), "-out", file("request.pem"),
    "-subj", "/CN=localhost");
  writeFileSync(file("ext"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  openssl("x509", "-req", "-in", file("request.pem"), "-CA", file("ca.pem"),
    "-CAkey", file("ca.key"), "-CAcreateserial", "-days", "2", "-extfile", file("ext"),
    "-out", file("cert.pem"));
  return { place, authority: file("ca.pem"), cert: file("cert.pem"), key: file("key.pem") };
}
