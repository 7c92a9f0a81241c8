import { type Key, useI18n } from '../i18n/index.ts';
import { Dialog } from '../ui/Dialog.tsx';
import { modifier } from './keys.ts';

const KEYS: [string[], Key][] = [
  [['mod', 'K'], 'help.palette'],
  [['/'], 'help.search'],
  [['g', 'r'], 'help.repositories'],
  [['g', 'a'], 'help.runs'],
  [['g', 't'], 'help.prompts'],
  [['g', 's'], 'help.settings'],
  [['[', ']'], 'help.previous_next'],
  [['?'], 'help.help'],
  [['Esc'], 'help.escape'],
];

export default function Help({ onClose }: { onClose: () => void }) {
  const { t } = useI18n();
  return (
    <Dialog title={t('help.title')} onClose={onClose}>
      <dl>
        {KEYS.map(([keys, what]) => (
          <div key={what} className="flex items-baseline justify-between gap-6 border-t border-rule py-2">
            <dt>{t(what)}</dt>
            <dd className="flex gap-1 whitespace-nowrap">
              {keys.map((key) => (
                <kbd key={key} className="rounded-sm border border-rule bg-sheet px-1.5 font-mono text-xs">
                  {key === 'mod' ? modifier(t) : key}
                </kbd>
              ))}
            </dd>
          </div>
        ))}
      </dl>
    </Dialog>
  );
}
