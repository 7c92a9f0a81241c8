import { type RefObject, useEffect, useRef, useState } from 'react';
import { useI18n } from '../i18n/index.ts';

interface Heading {
  id: string;
  text: string;
  level: number;
}

/** How far down the window a heading counts as read: a little below where a link to it puts it. */
const READ_PX = 120;

/** The headings of what is on the page; the one that is being read is marked, and stays in sight. */
export function Contents({ of, version }: { of: RefObject<HTMLElement | null>; version: string }) {
  const { t } = useI18n();
  const nav = useRef<HTMLElement>(null);
  const [headings, setHeadings] = useState<Heading[]>([]);
  const [current, setCurrent] = useState('');
  // biome-ignore lint/correctness/useExhaustiveDependencies: another version has other headings.
  useEffect(() => {
    const found = [...(of.current?.querySelectorAll<HTMLElement>('h2[id], h3[id]') ?? [])];
    setHeadings(
      found.map((one) => ({
        id: one.id,
        text: (one.firstElementChild ?? one).textContent ?? '',
        level: Number(one.tagName[1]),
      })),
    );
    let frame = 0;
    const look = () => {
      frame = 0;
      const { scrollHeight, clientHeight, scrollTop } = document.documentElement;
      const above = found.filter((one) => one.getBoundingClientRect().top <= READ_PX);
      // The last ones may never come up so far.
      const atEnd = scrollHeight > clientHeight && scrollTop + clientHeight >= scrollHeight - 2;
      setCurrent((atEnd ? found.at(-1) : (above.at(-1) ?? found[0]))?.id ?? '');
    };
    const onScroll = () => {
      frame ||= requestAnimationFrame(look);
    };
    look();
    window.addEventListener('scroll', onScroll, { passive: true });
    return () => {
      cancelAnimationFrame(frame);
      window.removeEventListener('scroll', onScroll);
    };
  }, [of, version]);
  useEffect(() => {
    const [box, entry] = [nav.current, current ? nav.current?.querySelector('[aria-current]') : undefined];
    if (!box || !entry || box.scrollHeight <= box.clientHeight) return;
    const [at, view] = [entry.getBoundingClientRect(), box.getBoundingClientRect()];
    if (at.top < view.top || at.bottom > view.bottom) box.scrollTop += at.top - view.top - view.height / 3;
  }, [current]);
  const level3 = headings.filter((one) => one.level === 3).length;
  const shown = level3 > 40 ? headings.filter((one) => one.level === 2) : headings;
  if (shown.length < 2) return null;
  return (
    <nav ref={nav} aria-label={t('reader.on_this_page')} className="h-full overflow-y-auto pb-8 text-xs">
      <p className="eyebrow mb-2">{t('reader.on_this_page')}</p>
      <ul className="border-l border-rule">
        {shown.map((one) => (
          <li key={one.id}>
            <a
              href={`#${one.id}`}
              title={one.text}
              translate="no"
              aria-current={one.id === current ? 'location' : undefined}
              className={`-ml-px block border-l-2 py-0.5 leading-snug break-words no-underline ${one.level === 3 ? 'pl-6' : 'pl-3'} ${
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
