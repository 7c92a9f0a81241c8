import { useQuery } from '@tanstack/react-query';
import { Link, useLocation, useNavigate, useParams, useRouter, useSearch } from '@tanstack/react-router';
import { useMemo, useState } from 'react';
import { blob, repository as repositoryQuery, tree } from '../api/queries.ts';
import type { Blob, File } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { type Lines, linesFragment, parseLines } from '../lib/cite.ts';
import { languageName } from '../lib/language.ts';
import { matches } from '../lib/match.ts';
import { type Folder, fileTree } from '../lib/tree.ts';
import { Icon } from '../shell/Icon.tsx';
import { CodeView } from '../ui/CodeView.tsx';
import { Copy } from '../ui/Copy.tsx';
import { inputClass } from '../ui/Field.tsx';
import { useTitle } from '../ui/Page.tsx';
import { Loaded } from '../ui/State.tsx';

const SOURCE = '/repositories/$repository/source/$' as const;

export default function Source() {
  const { t } = useI18n();
  const { repository, _splat: path = '' } = useParams({ from: '/inside/repositories/$repository/source/$' });
  const { commit } = useSearch({ from: '/inside/repositories/$repository/source/$' });
  const known = useQuery(repositoryQuery(repository));
  const files = useQuery(tree(repository, commit));
  const [listOpen, setListOpen] = useState(path === '');
  useTitle(`${path || t('source.title')} · ${known.data?.name ?? ''}`);
  return (
    <div className="mx-auto grid w-full max-w-[96rem] gap-x-8 px-4 sm:px-8 lg:grid-cols-[17rem_minmax(0,1fr)]">
      <div
        className={`lg:sticky lg:top-0 lg:block lg:h-dvh lg:pt-6 ${listOpen ? '' : 'hidden'} max-lg:mt-4 max-lg:h-[70dvh]`}
      >
        <Loaded of={files}>
          {(found) => (
            <FileList
              repository={repository}
              commit={commit}
              files={found.files}
              current={path}
              onChoose={() => setListOpen(false)}
            />
          )}
        </Loaded>
      </div>
      <div className="min-w-0 pt-6 pb-16">
        <div className="mb-4 flex flex-wrap items-center justify-between gap-x-6 gap-y-2 text-xs text-faint">
          <p className="flex flex-wrap gap-x-2">
            <Link to="/repositories/$repository" params={{ repository }} className="link">
              {known.data?.name ?? t('nav.repositories')}
            </Link>
            <span>{t('source.title')}</span>
            {files.data && <span>{t('reader.commit', { commit: files.data.commit.slice(0, 10) })}</span>}
          </p>
          <button
            type="button"
            aria-expanded={listOpen}
            onClick={() => setListOpen(!listOpen)}
            className="rounded-md border border-rule bg-sheet px-3 py-1.5 font-semibold text-ink lg:hidden"
          >
            {t('source.files')}
          </button>
        </div>
        {path === '' ? (
          <>
            <h1 className="text-3xl">{t('source.title')}</h1>
            <p className="mt-2 hidden text-soft lg:block">{t('source.choose')}</p>
            <p className="mt-2 text-soft lg:hidden">{t('source.choose_narrow')}</p>
          </>
        ) : (
          <SourceFile
            repository={repository}
            path={path}
            commit={commit}
            entry={files.data?.files.find((one) => one.path === path)}
          />
        )}
      </div>
    </div>
  );
}

interface FileProps {
  repository: string;
  path: string;
  commit: string | undefined;
  entry: File | undefined;
}

function SourceFile({ repository, path, commit, entry }: FileProps) {
  const { t, count } = useI18n();
  const navigate = useNavigate();
  const router = useRouter();
  const { hash } = useLocation();
  const file = useQuery({ ...blob(repository, path, commit), enabled: !entry?.skipped_reason });
  const marked = useMemo(() => parseLines(hash), [hash]);
  const params = { repository, _splat: path };
  const hrefAt = (at: string | undefined, lines: Lines | undefined) =>
    router.buildLocation({ to: SOURCE, params, search: { commit: at }, hash: lines && linesFragment(lines) }).href;
  return (
    <>
      <h1 className="mb-4 font-mono text-lg font-semibold break-all">{path}</h1>
      {entry?.skipped_reason ? (
        <p className="border-l-4 border-warning bg-warning-ground px-5 py-4">
          {t('source.no_text')} {t('source.skipped', { reason: entry.skipped_reason })}
        </p>
      ) : (
        <Loaded of={file}>
          {(found) => (
            <div className="grid gap-x-8 gap-y-6 xl:grid-cols-[minmax(0,1fr)_14rem]">
              <div className="min-w-0">
                <div className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-t-md border border-rule bg-sunk px-4 py-2 text-xs text-soft">
                  <span>{count('unit.lines', found.lines)}</span>
                  <span>{languageName(found.language)}</span>
                  {marked && (
                    <span>
                      {marked.start === marked.end
                        ? t('source.line', { start: marked.start })
                        : t('source.lines', { ...marked })}
                    </span>
                  )}
                  <span className="ml-auto">
                    <Copy
                      text={new URL(hrefAt(found.commit, marked), window.location.origin).href}
                      label={t('source.permalink')}
                      said={t('source.permalink_copied')}
                    />
                  </span>
                </div>
                <div className="overflow-hidden rounded-b-md border border-t-0 border-rule">
                  <CodeView
                    text={found.text}
                    language={found.language}
                    marked={marked}
                    hrefOf={(lines) => hrefAt(commit, lines)}
                    onLine={(lines) =>
                      navigate({
                        to: SOURCE,
                        params,
                        search: { commit },
                        hash: linesFragment(lines),
                        replace: true,
                        resetScroll: false,
                      })
                    }
                    label={path}
                    className="max-h-[calc(100dvh-9rem)]"
                  />
                </div>
              </div>
              <Beside of={found} params={params} commit={commit} />
            </div>
          )}
        </Loaded>
      )}
    </>
  );
}

function Beside({
  of,
  params,
  commit,
}: {
  of: Blob;
  params: { repository: string; _splat: string };
  commit: string | undefined;
}) {
  const { t } = useI18n();
  return (
    <div className="flex flex-col gap-6 text-xs xl:sticky xl:top-6 xl:max-h-[calc(100dvh-3rem)]">
      <section>
        <h2 className="mb-2 font-sans text-xs font-semibold">{t('source.documented_in')}</h2>
        {of.pages.length === 0 && <p className="text-faint">{t('source.not_documented')}</p>}
        <ul className="flex flex-col gap-1">
          {of.pages.map((page) => (
            <li key={`${page.document} ${page.slug}`}>
              <Link
                to="/documents/$document/{-$slug}"
                params={{ document: page.document, slug: page.slug }}
                className="link"
              >
                {page.title}
              </Link>
            </li>
          ))}
        </ul>
      </section>
      <section className="flex min-h-0 flex-col">
        <h2 className="mb-2 font-sans text-xs font-semibold">{t('source.symbols')}</h2>
        {of.symbols.length === 0 && <p className="text-faint">{t('source.no_symbols')}</p>}
        <ul className="min-h-0 overflow-y-auto max-xl:max-h-64">
          {of.symbols.map((symbol) => (
            <li key={`${symbol.start_line} ${symbol.name}`} className="flex items-baseline gap-2 py-0.5">
              <Link
                to={SOURCE}
                params={params}
                search={{ commit }}
                hash={linesFragment({ start: symbol.start_line, end: symbol.end_line })}
                replace
                resetScroll={false}
                className="min-w-0 truncate font-mono no-underline hover:underline"
              >
                {symbol.name}
              </Link>
              <span className="ml-auto text-faint">{symbol.kind}</span>
            </li>
          ))}
        </ul>
      </section>
    </div>
  );
}

interface ListProps {
  repository: string;
  commit: string | undefined;
  files: File[];
  current: string;
  onChoose: () => void;
}

function FileList({ repository, commit, files, current, onChoose }: ListProps) {
  const { t } = useI18n();
  const [filter, setFilter] = useState('');
  const [toggled, setToggled] = useState<Record<string, boolean>>({});
  const root = useMemo(() => fileTree(files), [files]);
  const found = filter.trim() ? files.filter((file) => matches(file.path, filter)).slice(0, 200) : undefined;
  const entry = (file: File, label: string) => (
    <Link
      to={SOURCE}
      params={{ repository, _splat: file.path }}
      search={{ commit }}
      onClick={onChoose}
      title={file.path}
      aria-current={file.path === current ? 'page' : undefined}
      className={`flex items-center gap-1.5 py-0.5 no-underline ${file.path === current ? 'font-semibold text-accent' : file.skipped_reason ? 'text-faint' : 'text-soft hover:text-ink'}`}
    >
      <Icon name="file" className="size-3.5 opacity-60" />
      <span className="truncate">{label}</span>
    </Link>
  );
  const folder = (at: Folder<File>, depth: number) => (
    <ul className={depth > 0 ? 'ml-1.5 border-l border-rule pl-2.5' : ''}>
      {at.folders.map((child) => {
        const isOpen =
          toggled[child.path] ?? (current.startsWith(`${child.path}/`) || (depth === 0 && at.folders.length === 1));
        return (
          <li key={child.path}>
            <button
              type="button"
              aria-expanded={isOpen}
              onClick={() => setToggled({ ...toggled, [child.path]: !isOpen })}
              className="flex w-full items-center gap-1.5 py-0.5 text-left text-soft hover:text-ink"
            >
              <Icon name="chevron" className={`size-3 transition-transform ${isOpen ? 'rotate-90' : ''}`} />
              <span className="truncate">{child.name}</span>
            </button>
            {isOpen && folder(child, depth + 1)}
          </li>
        );
      })}
      {at.files.map(({ name, file }) => (
        <li key={file.path}>{entry(file, name)}</li>
      ))}
    </ul>
  );
  return (
    <nav aria-label={t('source.files')} className="flex h-full flex-col text-xs">
      <input
        type="search"
        aria-label={t('source.filter')}
        placeholder={t('source.filter')}
        value={filter}
        onChange={(event) => setFilter(event.target.value)}
        className={`${inputClass} mb-3 py-1! text-xs!`}
      />
      <div className="min-h-0 flex-1 overflow-y-auto pb-6">
        {found ? (
          <ul>
            {found.map((file) => (
              <li key={file.path}>{entry(file, file.path)}</li>
            ))}
          </ul>
        ) : (
          folder(root, 0)
        )}
      </div>
    </nav>
  );
}
