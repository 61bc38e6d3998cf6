/** Who is here: nobody yet, or somebody who chats. */
import { AnserClient } from "@anser-im/sdk";
import { useEffect, useState } from "react";

import { Chat } from "./chat.js";
import { LanguageContext, initialLanguage, keepLanguage } from "./i18n.js";
import {
  demoToken,
  introduce,
  keepUser,
  keptUser,
  liveLink,
  readInvitation,
  readLive,
} from "./identity.js";
import { LivePage } from "./live-page.js";
import { Welcome } from "./welcome.js";

export function App() {
  const [language, setLanguage] = useState(initialLanguage);
  const [invitation] = useState(() => readInvitation(location.hash));
  const [user, setUser] = useState(() => invitation.as ?? keptUser());
  /** The live room that is shown; empty: to choose one. */
  const [live, setLive] = useState(() => readLive(location.hash));
  const client = useClient(user);

  useEffect(() => {
    document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
    keepLanguage(language);
  }, [language]);

  useEffect(() => {
    keepUser(user);
    // The link did its work; on reload the tab stays whoever it has become, and in its live room.
    const hash = live === undefined ? "" : liveLink(live);
    if (location.hash !== hash) {
      history.replaceState(null, "", location.pathname + location.search + hash);
    }
  }, [user, live]);

  useEffect(() => {
    const follow = () => location.hash && setLive(readLive(location.hash));
    addEventListener("hashchange", follow);
    return () => removeEventListener("hashchange", follow);
  }, []);

  useEffect(() => {
    if (user && invitation.with) void introduce([invitation.with]);
  }, [user, invitation]);

  const switchLanguage = () => setLanguage(language === "zh" ? "en" : "zh");
  const signOut = () => {
    void client?.logout();
    setUser(undefined);
  };
  return (
    <LanguageContext value={language}>
      {user && client && live !== undefined ? (
        <LivePage
          key={user}
          me={user}
          client={client}
          room={live}
          onRoom={setLive}
          onLeave={() => setLive(undefined)}
          onSwitchLanguage={switchLanguage}
          onSignOut={signOut}
        />
      ) : user && client ? (
        <Chat
          key={user}
          me={user}
          client={client}
          openWith={user === invitation.as ? invitation.with : undefined}
          onLive={() => setLive("")}
          onSwitchLanguage={switchLanguage}
          onSignOut={signOut}
        />
      ) : (
        !user && <Welcome onEnter={setUser} onSwitchLanguage={switchLanguage} />
      )}
    </LanguageContext>
  );
}

/** A client for as long as somebody is signed in. */
function useClient(user: string | undefined): AnserClient | undefined {
  const [client, setClient] = useState<AnserClient>();
  useEffect(() => {
    if (user === undefined) return;
    const fresh = new AnserClient({
      url: new URL("../v1/connect", document.baseURI).href,
      user,
      token: () => demoToken(user),
      // A device per tab, as an identity is.
      storage: sessionStorage,
    });
    setClient(fresh);
    void fresh.connect();
    return () => {
      fresh.close();
      setClient(undefined);
    };
  }, [user]);
  return client;
}
