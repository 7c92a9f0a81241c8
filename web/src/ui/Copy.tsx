import { useI18n } from '../i18n/index.ts';
import { Button } from './Button.tsx';
import { notify } from './Toast.tsx';

export function Copy({ text, label, said }: { text: string; label?: string; said?: string }) {
  const { t } = useI18n();
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    notify(said ?? t('common.copied'));
  };
  return (
    <Button small onClick={copy}>
      {label ?? t('common.copy')}
    </Button>
  );
}

/** A secret that is shown once. */
export function Secret({ text, note }: { text: string; note: string }) {
  return (
    <div className="flex flex-col gap-2 border-l-4 border-accent bg-accent-ground px-4 py-3">
      <p className="font-semibold">{note}</p>
      <div className="flex flex-wrap items-center gap-3">
        <code className="font-mono text-xs break-all select-all">{text}</code>
        <Copy text={text} />
      </div>
    </div>
  );
}
