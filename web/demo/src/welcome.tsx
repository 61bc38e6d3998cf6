/** The first screen: pick a name. */
import { type FormEvent, useState } from "react";

import { useWords } from "./i18n.js";
import { demoToken } from "./identity.js";
import { Landscape, Logo } from "./logo.js";

/** The server's limit of a user id, in bytes. */
const NAME_BYTES_MAX = 64;

interface Props {
  onEnter(user: string): void;
  onSwitchLanguage(): void;
}

export function Welcome({ onEnter, onSwitchLanguage }: Props) {
  const words = useWords();
  const [name, setName] = useState("");
  const [entering, setEntering] = useState(false);
  const [problem, setProblem] = useState<string>();

  const enter = async (event: FormEvent) => {
    event.preventDefault();
    const user = name.trim();
    if (user === "" || entering) return;
    if (new TextEncoder().encode(user).length > NAME_BYTES_MAX) {
      setProblem(words.nameTooLong);
      return;
    }
    setEntering(true);
    try {
      await demoToken(user);
      onEnter(user);
    } catch {
      setProblem(words.unreachable);
      setEntering(false);
    }
  };

  return (
    <div className="welcome">
      <div className="welcome-art">
        <Landscape />
        <p className="welcome-tagline">{words.tagline}</p>
      </div>
      <main className="welcome-main">
        <header className="welcome-header">
          <Logo />
          <button
            className="quiet"
            type="button"
            aria-label={words.otherLanguageLabel}
            onClick={onSwitchLanguage}
          >
            {words.otherLanguage}
          </button>
        </header>
        <form className="welcome-form" onSubmit={enter}>
          <h1>{words.pitch}</h1>
          <label htmlFor="name">{words.yourName}</label>
          <div className="welcome-field">
            <input
              id="name"
              value={name}
              placeholder={words.namePlaceholder}
              autoFocus
              autoComplete="off"
              autoCapitalize="none"
              spellCheck={false}
              aria-describedby="name-hint"
              onChange={(event) => {
                setName(event.target.value);
                setProblem(undefined);
              }}
            />
            <button className="primary" type="submit" disabled={name.trim() === "" || entering}>
              {entering ? words.entering : words.enter}
            </button>
          </div>
          <p
            id="name-hint"
            className={problem ? "problem" : "hint"}
            role={problem ? "alert" : undefined}
          >
            {problem ?? words.anyName}
          </p>
        </form>
        <ol className="welcome-steps">
          {[words.stepName, words.stepWindow, words.stepTalk].map((step) => (
            <li key={step}>{step}</li>
          ))}
        </ol>
      </main>
    </div>
  );
}
