import { type RefObject, useEffect, useState } from 'react';
import { useI18n } from '../i18n/index.ts';

interface Heading {
  id: string;
  text: string;
  level: number;
}

/** The headings of what is on the page, the one in sight marked. */
export function Contents({ of, version }: { of: RefObject<HTMLElement | null>; version: string }) {
  const { t } = useI18n();
  const [headings, setHeadings] = useState<Heading[]>([]);
  const [current, setCurrent] = useState('');
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version has other headings.
  useEffect(() => {
    const found = [...(of.current?.querySelectorAll<HTMLElement>('h2[id], h3[id]') ?? [])];
    setHeadings(found.map((one) => ({ id: one.id, text: one.textContent ?? '', level: Number(one.tagName[1]) })));
    const seen = new IntersectionObserver(
      (entries) => {
        const top = entries.filter((entry) => entry.isIntersecting).map((entry) => entry.target.id);
        if (top[0]) setCurrent(top[0]);
      },
      { rootMargin: '-10% 0px -70% 0px' },
    );
    for (const heading of found) seen.observe(heading);
    return () => seen.disconnect();
  }, [of, version]);
  const level3 = headings.filter((one) => one.level === 3).length;
  const shown = level3 > 40 ? headings.filter((one) => one.level === 2) : headings;
  if (shown.length < 2) return null;
  return (
    <nav aria-label={t('reader.on_this_page')} className="h-full overflow-y-auto pb-8 text-xs">
      <p className="eyebrow mb-2">{t('reader.on_this_page')}</p>
      <ul className="border-l border-rule">
        {shown.map((one) => (
          <li key={one.id}>
            <a
              href={`#${one.id}`}
              className={`-ml-px block truncate border-l-2 py-0.5 no-underline ${one.level === 3 ? 'pl-6' : 'pl-3'} ${
                one.id === current ? 'border-accent text-ink' : 'border-transparent text-faint hover:text-ink'
              }`}
            >
              {one.text}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
