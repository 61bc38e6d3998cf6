import {
  type ClipboardEvent,
  type FormEvent,
  type KeyboardEvent,
  useLayoutEffect,
  useRef,
  useState,
} from "react";

import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";

/** What the server takes in one message unless its operator raised it, in bytes, type included. */
const TEXT_BYTES_MAX = 3 * 1024 - "text".length;

interface Props {
  label: string;
  /** What was begun before. */
  draft: string;
  /** The text of a message that is being edited. */
  editing: string | undefined;
  onSend(text: string): void;
  /** Chosen or pasted. */
  onFiles(files: Iterable<File>): void;
  onChange(text: string): void;
  onCancel(): void;
}

/** Enter sends, Shift+Enter breaks the line; not while an input method is composing. */
export function Composer(props: Props) {
  const { label, draft, editing, onSend, onFiles, onChange, onCancel } = props;
  const words = useWords();
  const [text, setText] = useState(editing ?? draft);
  const area = useRef<HTMLTextAreaElement>(null);
  const tooLarge = new TextEncoder().encode(text.trim()).length > TEXT_BYTES_MAX;

  useLayoutEffect(() => {
    const element = area.current;
    if (!element) return;
    element.style.height = "auto";
    element.style.height = `${element.scrollHeight}px`;
  }, [text]);

  const send = (event?: FormEvent) => {
    event?.preventDefault();
    const said = text.trim();
    if (said === "" || tooLarge) return;
    onSend(said);
    setText("");
    onChange("");
    area.current?.focus();
  };
  const key = (event: KeyboardEvent) => {
    if (event.key === "Escape" && editing !== undefined) onCancel();
    if (event.key !== "Enter" || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    send();
  };

  const paste = (event: ClipboardEvent) => {
    if (event.clipboardData.files.length === 0) return;
    event.preventDefault();
    onFiles(event.clipboardData.files);
  };

  return (
    <form className="composer" onSubmit={send}>
      {editing !== undefined && (
        <p className="composer-editing">
          {words.editing}
          <button className="quiet" type="button" onClick={onCancel}>
            {words.cancel}
          </button>
        </p>
      )}
      {tooLarge && (
        <p className="problem" role="alert">
          {words.tooLarge}
        </p>
      )}
      <label className="composer-attach round" title={words.attach}>
        <Icon name="picture" />
        <input
          className="visually-hidden"
          type="file"
          multiple
          aria-label={words.attach}
          disabled={editing !== undefined}
          onChange={(event) => {
            onFiles(event.target.files ?? []);
            event.target.value = "";
          }}
        />
      </label>
      <textarea
        ref={area}
        rows={1}
        value={text}
        aria-label={label}
        placeholder={label}
        autoFocus={matchMedia("(hover: hover)").matches}
        enterKeyHint="send"
        onChange={(event) => {
          setText(event.target.value);
          onChange(event.target.value);
        }}
        onKeyDown={key}
        onPaste={paste}
      />
      <button
        className="composer-send"
        type="submit"
        aria-label={editing === undefined ? words.send : words.save}
        disabled={text.trim() === "" || tooLarge}
      >
        <Icon name="send" />
      </button>
    </form>
  );
}
