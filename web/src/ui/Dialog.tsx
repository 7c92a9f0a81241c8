import { type ReactNode, useEffect, useId, useRef } from 'react';
import { useI18n } from '../i18n/index.ts';
import { Button } from './Button.tsx';

interface Props {
  title: string;
  onClose: () => void;
  children: ReactNode;
  className?: string;
  hideTitle?: boolean;
}

/** The browser's own modal dialog: it keeps the focus and gives it back. */
export function Dialog({ title, onClose, children, className = '', hideTitle = false }: Props) {
  const { t } = useI18n();
  const dialog = useRef<HTMLDialogElement>(null);
  const label = useId();
  useEffect(() => {
    const element = dialog.current;
    if (!element?.open) element?.showModal();
    // A dialog gives the focus to its first button, unless somebody says what it is for.
    element?.querySelector<HTMLElement>('[data-focus]')?.focus();
    return () => element?.close();
  }, []);
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a click beside it is a convenience; Escape closes it by itself.
    <dialog
      ref={dialog}
      aria-labelledby={label}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onClick={(event) => event.target === dialog.current && onClose()}
      className={`m-auto w-[min(36rem,calc(100vw-2rem))] rounded-md border border-rule bg-paper p-0 shadow-lift ${className}`}
    >
      <div className={hideTitle ? '' : 'p-6'}>
        <div className={hideTitle ? 'sr-only' : 'mb-4 flex items-baseline justify-between gap-4'}>
          <h2 id={label} className="text-xl">
            {title}
          </h2>
          <Button look="quiet" small onClick={onClose}>
            {t('common.close')}
          </Button>
        </div>
        {children}
      </div>
    </dialog>
  );
}

interface AskProps {
  question: string;
  action: string;
  busy?: boolean;
  onYes: () => void;
  onClose: () => void;
}

/** Asks before something that cannot be taken back. */
export function Ask({ question, action, busy, onYes, onClose }: AskProps) {
  const { t } = useI18n();
  return (
    <Dialog title={t('common.confirm')} onClose={onClose}>
      <p className="mb-6">{question}</p>
      <div className="flex flex-wrap justify-end gap-2">
        <Button onClick={onClose}>{t('common.cancel')}</Button>
        <Button look="danger" busy={busy} onClick={onYes}>
          {action}
        </Button>
      </div>
    </Dialog>
  );
}
