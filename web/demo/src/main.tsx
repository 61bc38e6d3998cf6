import { StrictMode } from "react";
import { createRoot } from "react-dom/client";

import { App } from "./app.js";
import "./styles/base.css";
import "./styles/welcome.css";
import "./styles/chat.css";
import "./styles/thread.css";
import "./styles/live.css";

const root = document.getElementById("root");
if (root) {
  createRoot(root).render(
    <StrictMode>
      <App />
    </StrictMode>,
  );
}
