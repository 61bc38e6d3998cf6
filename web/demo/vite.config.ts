import { fileURLToPath } from "node:url";

import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

import { fakeServer } from "./dev/fake-server.js";

// The page is served below a path that the server chooses, so every address in it is relative.
// In development it talks to a fake in the same process, or to the server at ANSER_URL.
const server = process.env.ANSER_URL;

export default defineConfig({
  base: "./",
  plugins: [react(), server ? [] : fakeServer()],
  resolve: {
    alias: { "@anser-im/sdk": fileURLToPath(new URL("../sdk/src/index.ts", import.meta.url)) },
  },
  build: { assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  server: server
    ? {
        proxy: {
          "/token": { target: `${server}/demo`, changeOrigin: true },
          "/room": { target: `${server}/demo`, changeOrigin: true },
          "/v1": { target: server, ws: true },
        },
      }
    : {},
});
