import { Link } from '@tanstack/react-router';
import { useEffect, useRef, useState } from 'react';
import type { PageEntry } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { matches } from '../lib/match.ts';
import { pageTree, type TreeNode, trail } from '../lib/tree.ts';
import { Icon } from '../shell/Icon.tsx';
import { inputClass } from '../ui/Field.tsx';

interface Props {
  document: string;
  pages: PageEntry[];
  current: string;
}

/** The pages of a document, the branch of the current one open. */
export function PageTree({ document, pages, current }: Props) {
  const { t } = useI18n();
  const [filter, setFilter] = useState('');
  const [toggled, setToggled] = useState<Record<string, boolean>>({});
  const nav = useRef<HTMLElement>(null);
  const onTrail = trail(pages, current);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the marked entry is another one after every step.
  useEffect(() => {
    const entry = nav.current?.querySelector('[aria-current="page"]');
    const box = nav.current;
    if (!(entry instanceof HTMLElement) || !box || box.scrollHeight <= box.clientHeight) return;
    const [at, view] = [entry.getBoundingClientRect(), box.getBoundingClientRect()];
    if (at.top < view.top || at.bottom > view.bottom) box.scrollTop += at.top - view.top - view.height / 3;
  }, [current]);

  const found = filter.trim() ? pages.filter((page) => matches(page.title, filter)) : undefined;
  const entry = (page: PageEntry, label: string) => (
    <Link
      to="/documents/$document/{-$slug}"
      params={{ document, slug: page.slug }}
      aria-current={page.slug === current ? 'page' : undefined}
      title={page.title}
      translate="no"
      className={`block min-w-0 flex-1 truncate py-1 no-underline ${
        page.slug === current
          ? 'font-semibold text-accent'
          : page.state === 'published'
            ? 'text-soft hover:text-ink'
            : 'text-faint'
      }`}
    >
      {label}
      {page.state === 'failed' && <span className="text-danger"> ✕</span>}
    </Link>
  );
  const branch = (nodes: TreeNode[], depth: number) => (
    <ul className={depth > 0 ? 'ml-[0.5625rem] border-l border-rule pl-2' : ''}>
      {nodes.map((node) => {
        const isOpen = toggled[node.entry.slug] ?? (onTrail.includes(node.entry.slug) || depth === 0);
        return (
          <li key={node.entry.slug}>
            <div className="flex items-center gap-0.5">
              {node.children.length > 0 ? (
                <button
                  type="button"
                  aria-expanded={isOpen}
                  aria-label={t('reader.expand', { title: node.entry.title })}
                  onClick={() => setToggled({ ...toggled, [node.entry.slug]: !isOpen })}
                  className="flex size-5 flex-none items-center justify-center rounded-sm text-faint hover:bg-sunk hover:text-ink"
                >
                  <Icon name="chevron" className={`size-3 transition-transform ${isOpen ? 'rotate-90' : ''}`} />
                </button>
              ) : (
                <span className="w-5 flex-none" />
              )}
              {entry(node.entry, node.label)}
            </div>
            {isOpen && node.children.length > 0 && branch(node.children, depth + 1)}
          </li>
        );
      })}
    </ul>
  );
  return (
    <nav ref={nav} aria-label={t('reader.pages')} className="h-full overflow-y-auto pr-4 pb-8 text-xs">
      {pages.length > 12 && (
        <input
          type="search"
          aria-label={t('reader.filter')}
          placeholder={t('reader.filter')}
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
          className={`${inputClass} mb-3 py-1! text-xs!`}
        />
      )}
      {found ? (
        <ul>
          {found.map((page) => (
            <li key={page.slug}>{entry(page, page.title)}</li>
          ))}
        </ul>
      ) : (
        branch(pageTree(pages), 0)
      )}
    </nav>
  );
}
