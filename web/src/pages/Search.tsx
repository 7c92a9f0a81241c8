import { useQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { type KeyboardEvent, useEffect, useMemo, useRef, useState } from 'react';
import { repositoryChoice, search } from '../api/queries.ts';
import type { Hit } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { linesFragment } from '../lib/cite.ts';
import { bestStart } from '../lib/excerpt.ts';
import { highlightLines, type Piece, plainLines } from '../lib/highlight.ts';
import { languageName } from '../lib/language.ts';
import { Badge } from '../ui/Badge.tsx';
import { Button } from '../ui/Button.tsx';
import { inputClass } from '../ui/Field.tsx';
import { Page } from '../ui/Page.tsx';
import { Empty, Loaded } from '../ui/State.tsx';

const EXCERPT_LINES = 8;

export default function Search() {
  const { t, maybe, count } = useI18n();
  const asked = useSearch({ from: '/inside/search' });
  const navigate = useNavigate();
  const [text, setText] = useState(asked.q ?? '');
  const repositories = useQuery(repositoryChoice);
  const found = useQuery(search(asked.q ?? '', asked.repository));
  const list = useRef<HTMLUListElement>(null);
  useEffect(() => setText(asked.q ?? ''), [asked.q]);

  const set = (part: Partial<typeof asked>) =>
    navigate({ to: '/search', search: (before) => ({ ...before, ...part }), replace: true });
  const hits = found.data?.items ?? [];
  const shown = hits.filter(
    (hit) => (!asked.kind || hit.kind === asked.kind) && (!asked.language || hit.language === asked.language),
  );
  const names = new Map(repositories.data?.map((one) => [one.id, one.name]));
  const languages = [...new Set(hits.map((hit) => hit.language))].sort();
  const kinds = [...new Set(hits.map((hit) => hit.kind))].sort();

  const walk = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step || event.target instanceof HTMLSelectElement) return;
    const links = [...(list.current?.querySelectorAll<HTMLElement>('a[data-hit]') ?? [])];
    const at = links.indexOf(document.activeElement as HTMLElement);
    const target = links[at < 0 ? (step > 0 ? 0 : links.length) : at + step];
    if (!target && !(at === 0 && step < 0)) return;
    event.preventDefault();
    if (target) target.focus();
    else document.querySelector<HTMLElement>('input[data-main]')?.focus();
  };
  const filter = (name: 'kind' | 'language', label: string, values: string[], say: (value: string) => string) => (
    <select
      aria-label={label}
      value={asked[name] ?? ''}
      onChange={(event) => set({ [name]: event.target.value || undefined })}
      className={`${inputClass} w-auto! max-w-full min-w-0 max-sm:flex-1`}
    >
      <option value="">
        {label}: {t('common.all')}
      </option>
      {values.map((value) => (
        <option key={value} value={value}>
          {say(value)}
        </option>
      ))}
    </select>
  );
  return (
    <Page title={t('search.title')}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: the arrow keys go between field and list. */}
      <div onKeyDown={walk}>
        <form
          role="search"
          className="flex gap-2"
          onSubmit={(event) => {
            event.preventDefault();
            set({ q: text.trim() || undefined, kind: undefined, language: undefined });
          }}
        >
          <input
            type="search"
            data-main
            autoFocus={!asked.q}
            aria-label={t('search.placeholder')}
            placeholder={t('search.placeholder')}
            value={text}
            onChange={(event) => setText(event.target.value)}
            className={`${inputClass} py-3! text-base!`}
          />
          <Button type="submit" look="main" busy={found.isFetching}>
            {t('search.submit')}
          </Button>
        </form>
        <div className="mt-3 flex flex-wrap items-center gap-2">
          <select
            aria-label={t('search.in')}
            value={asked.repository ?? ''}
            onChange={(event) => set({ repository: event.target.value || undefined })}
            className={`${inputClass} w-auto! max-w-full sm:max-w-72`}
          >
            <option value="">{t('search.all_repositories')}</option>
            {repositories.data?.map((one) => (
              <option key={one.id} value={one.id}>
                {one.name}
              </option>
            ))}
          </select>
          {filter('kind', t('search.kind'), kinds, (value) => maybe(`search.kind.${value}`) ?? value)}
          {filter('language', t('search.language'), languages, languageName)}
          {asked.q && found.data && (
            <p role="status" className="text-xs text-faint">
              {count('search.hits', shown.length)}. <span className="hidden sm:inline">{t('search.keys')}</span>
            </p>
          )}
        </div>
        <div className="mt-8">
          {!asked.q ? (
            <Empty title={t('search.start')}>
              <p>{t('search.start_text')}</p>
            </Empty>
          ) : (
            <Loaded of={found}>
              {() =>
                shown.length === 0 ? (
                  <Empty title={t('search.empty')}>
                    <p>{t('search.empty_text')}</p>
                  </Empty>
                ) : (
                  <ul ref={list} aria-label={t('search.results')}>
                    {shown.map((hit) => (
                      <Found
                        key={`${hit.repository_id} ${hit.path} ${hit.start_line}`}
                        hit={hit}
                        name={names.get(hit.repository_id)}
                        question={asked.q ?? ''}
                      />
                    ))}
                  </ul>
                )
              }
            </Loaded>
          )}
        </div>
      </div>
    </Page>
  );
}

function Found({ hit, name, question }: { hit: Hit; name: string | undefined; question: string }) {
  const { t } = useI18n();
  const lines = { start: hit.start_line, end: hit.end_line };
  const at = hit.path.lastIndexOf('/') + 1;
  return (
    <li className="border-t border-rule py-4">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <Link
          data-hit
          to="/repositories/$repository/source/$"
          params={{ repository: hit.repository_id, _splat: hit.path }}
          hash={linesFragment(lines)}
          className="min-w-0 font-mono text-sm break-all no-underline hover:underline"
        >
          <span className="text-faint">{hit.path.slice(0, at)}</span>
          <span className="font-semibold">{hit.path.slice(at)}</span>
        </Link>
        <span className="text-xs text-faint">{t('source.lines', { ...lines })}</span>
        {hit.symbol && <Badge>{hit.symbol}</Badge>}
        <span className="ml-auto text-xs text-faint">{name}</span>
      </div>
      {hit.scope && <p className="mt-0.5 truncate font-mono text-xs text-faint">{hit.scope}</p>}
      <Excerpt
        text={hit.excerpt}
        language={hit.language}
        first={hit.start_line}
        question={question}
        symbol={hit.symbol}
      />
    </li>
  );
}

interface ExcerptProps {
  text: string;
  language: string;
  first: number;
  question: string;
  symbol: string | undefined;
}

/** The lines of a passage that say most about what was asked. */
function Excerpt({ text, language, first, question, symbol }: ExcerptProps) {
  const [lines, setLines] = useState<Piece[][]>(() => plainLines(text));
  useEffect(() => {
    let current = true;
    highlightLines(text, language).then((coloured) => current && setLines(coloured));
    return () => {
      current = false;
    };
  }, [text, language]);
  const skip = useMemo(
    () =>
      bestStart(
        plainLines(text).map((line) => line[0]?.text ?? ''),
        question,
        symbol,
        EXCERPT_LINES,
      ),
    [text, question, symbol],
  );
  return (
    <pre
      tabIndex={0}
      className="mt-2 overflow-x-auto rounded-md border border-rule bg-sheet py-2 font-code text-xs leading-relaxed [font-variant-ligatures:none]"
    >
      {lines.slice(skip, skip + EXCERPT_LINES).map((pieces, index) => (
        <div key={first + skip + index} className="flex">
          <span aria-hidden="true" className="w-12 flex-none pr-3 text-right text-faint select-none">
            {first + skip + index}
          </span>
          <code className="pr-4">
            {pieces.map((piece, at) => (
              <span key={at} className={piece.classes || undefined}>
                {piece.text}
              </span>
            ))}
          </code>
        </div>
      ))}
    </pre>
  );
}
