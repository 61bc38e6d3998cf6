/** A picture in full, over everything else. */
import { useEffect, useRef } from "react";

import { useWords } from "./i18n.js";
import { Icon } from "./icons.js";

interface Props {
  address: string | undefined;
  label: string;
  onClose(): void;
}

export function Lightbox({ address, label, onClose }: Props) {
  const words = useWords();
  const ref = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = ref.current;
    if (!dialog?.open) dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={ref} className="lightbox" aria-label={label} onCancel={onClose} onClick={onClose}>
      {address ? <img src={address} alt={label} /> : <p className="hint">{words.loading}</p>}
      <button className="round" type="button" aria-label={words.close} onClick={onClose}>
        <Icon name="close" />
      </button>
    </dialog>
  );
}
