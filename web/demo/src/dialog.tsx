import { type ReactNode, useEffect, useId, useRef } from "react";

import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";

interface Props {
  title: string;
  children: ReactNode;
  onClose(): void;
}

/** A modal dialog: the browser keeps the focus in it and closes it on Escape. */
export function Dialog({ title, children, onClose }: Props) {
  const words = useWords();
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog?.open) dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog
      ref={ref}
      aria-labelledby={id}
      onCancel={onClose}
      onClick={(event) => event.target === ref.current && onClose()}
    >
      <div className="dialog">
        <header className="dialog-header">
          <h2 id={id}>{title}</h2>
          <button className="round" type="button" aria-label={words.close} onClick={onClose}>
            <Icon name="close" />
          </button>
        </header>
        {children}
      </div>
    </dialog>
  );
}
