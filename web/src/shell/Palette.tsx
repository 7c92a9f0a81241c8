import { useQuery } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useId, useState } from 'react';
import { me, promptChoice, repositoryChoice } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { matches } from '../lib/match.ts';
import { rights } from '../lib/me.ts';
import { Dialog } from '../ui/Dialog.tsx';

interface Item {
  id: string;
  label: string;
  group: string;
  go: () => void;
}

export default function Palette({ onClose }: { onClose: () => void }) {
  const { t } = useI18n();
  const navigate = useNavigate();
  const list = useId();
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const { data: who } = useQuery(me);
  const { data: known = [] } = useQuery(repositoryChoice);
  const { data: templates = [] } = useQuery(promptChoice);
  const may = rights(who);

  const pages: [string, string, boolean][] = [
    ['/', t('nav.repositories'), true],
    ['/repositories/new', t('repositories.add'), may.write],
    ['/search', t('nav.search'), true],
    ['/runs', t('nav.runs'), true],
    ['/prompts', t('nav.prompts'), true],
    ['/settings', t('nav.settings'), true],
    ['/admin/users', t('nav.users'), may.oversee],
    ['/admin/queues', t('nav.queues'), may.oversee],
    ['/admin/dead-letters', t('nav.dead_letters'), may.oversee],
    ['/admin/audit', t('nav.audit'), may.oversee],
  ];
  const all: Item[] = [
    ...known.map((one) => ({
      id: one.id,
      label: one.name,
      group: t('nav.repositories'),
      go: () => navigate({ to: '/repositories/$repository', params: { repository: one.id } }),
    })),
    ...pages
      .filter(([, , shown]) => shown)
      .map(([to, label]) => ({ id: to, label, group: t('palette.pages'), go: () => navigate({ to }) })),
    ...templates.map((one) => ({
      id: one.id,
      label: one.name,
      group: t('nav.prompts'),
      go: () => navigate({ to: '/prompts/$template', params: { template: one.id } }),
    })),
  ];
  const found = all.filter((item) => matches(item.label, text)).slice(0, 12);
  if (text.trim()) {
    const q = text.trim();
    const go = () => navigate({ to: '/search', search: { q } });
    found.push({ id: 'search', label: t('palette.search_for', { q }), group: t('nav.search'), go });
  }
  const active = Math.min(at, found.length - 1);
  const choose = (item: Item | undefined) => {
    if (!item) return;
    onClose();
    item.go();
  };
  return (
    <Dialog title={t('nav.palette')} onClose={onClose} hideTitle className="mt-[12vh]">
      <input
        data-focus
        role="combobox"
        aria-expanded="true"
        aria-controls={list}
        aria-activedescendant={found[active] ? `${list}-${active}` : undefined}
        aria-label={t('palette.placeholder')}
        placeholder={t('palette.placeholder')}
        value={text}
        onChange={(event) => {
          setText(event.target.value);
          setAt(0);
        }}
        onKeyDown={(event) => {
          const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
          if (step && found.length > 0) {
            event.preventDefault();
            setAt((active + step + found.length) % found.length);
          } else if (event.key === 'Enter') {
            event.preventDefault();
            choose(found[active]);
          }
        }}
        className="w-full border-b border-rule bg-sheet px-5 py-4 text-lg outline-none"
      />
      <div id={list} role="listbox" aria-label={t('nav.palette')} className="max-h-[50vh] overflow-y-auto py-2">
        {found.map((item, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the field above has the focus and answers the keys.
          <div
            key={item.id}
            id={`${list}-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === active}
            onClick={() => choose(item)}
            onMouseMove={() => setAt(index)}
            className={`flex cursor-pointer items-baseline justify-between gap-4 px-5 py-2 ${index === active ? 'bg-accent-ground' : ''}`}
          >
            <span className="truncate">{item.label}</span>
            <span className="text-2xs whitespace-nowrap text-soft">{item.group}</span>
          </div>
        ))}
      </div>
      {found.length === 0 && <p className="px-5 pb-4 text-faint">{t('palette.none')}</p>}
    </Dialog>
  );
}
