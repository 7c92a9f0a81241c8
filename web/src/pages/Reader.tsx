import { useQuery } from '@tanstack/react-query';
import { Link, useLocation, useNavigate, useParams, useRouter, useSearch } from '@tanstack/react-router';
import { useCallback, useEffect, useMemo, useRef, useState } from 'react';
import { document as documentQuery, isOver, page as pageQuery, repository as repositoryQuery } from '../api/queries.ts';
import type { Document, PageEntry } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { type Citation, citationParam, readCitationParam } from '../lib/cite.ts';
import { Contents } from '../reader/Contents.tsx';
import { Drawer } from '../reader/Drawer.tsx';
import { type Around, Markdown } from '../reader/Markdown.tsx';
import { PageTree } from '../reader/PageTree.tsx';
import { Renewal } from '../reader/Renewal.tsx';
import { PAGE_COMMAND } from '../shell/Layout.tsx';
import { StateBadge } from '../ui/Badge.tsx';
import { Page, useTitle } from '../ui/Page.tsx';
import { Empty, Failure, Loaded, Loading } from '../ui/State.tsx';

const READER = '/documents/$document/{-$slug}' as const;

export default function Reader() {
  const { t } = useI18n();
  const { document: id, slug } = useParams({ from: '/inside/documents/$document/{-$slug}' });
  const found = useQuery({
    ...documentQuery(id),
    refetchInterval: ({ state }) => (state.data && !isOver(state.data.state) ? 3_000 : false),
  });
  if (!found.data) {
    return (
      <Page title="…">{found.error ? <Failure error={found.error} retry={() => found.refetch()} /> : <Loading />}</Page>
    );
  }
  const pages = found.data.pages ?? [];
  const current = pages.find((one) => one.slug === slug) ?? (slug === undefined ? pages[0] : undefined);
  if (pages.length === 0) {
    return (
      <Page title={found.data.title} above={<StateBadge state={found.data.state} />}>
        <Empty title={t('reader.no_pages')}>{found.data.notice && <p lang="en">{found.data.notice}</p>}</Empty>
      </Page>
    );
  }
  if (!current) {
    return (
      <Page title={t('problem.not_found_title')} lead={t('problem.not_found')}>
        <Link to={READER} params={{ document: id, slug: undefined }} className="link">
          {found.data.title}
        </Link>
      </Page>
    );
  }
  return <Open document={found.data} pages={pages} current={current} />;
}

function Open({ document, pages, current }: { document: Document; pages: PageEntry[]; current: PageEntry }) {
  const { t } = useI18n();
  const navigate = useNavigate();
  const router = useRouter();
  const { hash } = useLocation();
  const { cite } = useSearch({ from: '/inside/documents/$document/{-$slug}' });
  const article = useRef<HTMLElement>(null);
  const [listOpen, setListOpen] = useState(false);
  const repository = useQuery(repositoryQuery(document.repository_id));
  const page = useQuery({
    ...pageQuery(document.id, current.slug),
    refetchInterval: ({ state }) => (state.data?.state === 'requested' ? 3_000 : false),
  });
  const at = pages.findIndex((one) => one.slug === current.slug);
  const [previous, next] = [pages[at - 1], pages[at + 1]];
  const citation = useMemo(() => readCitationParam(cite), [cite]);
  useTitle(`${current.title} · ${repository.data?.name ?? document.title}`);

  const open = useCallback(
    (slug: string, fragment?: string) =>
      navigate({ to: READER, params: { document: document.id, slug }, hash: fragment, search: {} }),
    [navigate, document.id],
  );
  const close = useCallback(
    () =>
      navigate({ to: READER, params: { document: document.id, slug: current.slug }, search: {}, resetScroll: false }),
    [navigate, document.id, current.slug],
  );
  useEffect(() => {
    const onCommand = (event: Event) => {
      const target = (event as CustomEvent<string>).detail === 'next' ? next : previous;
      if (target) open(target.slug);
    };
    window.addEventListener(PAGE_COMMAND, onCommand);
    return () => window.removeEventListener(PAGE_COMMAND, onCommand);
  }, [next, previous, open]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the way to a page ends the choice of it.
  useEffect(() => setListOpen(false), [current.slug]);
  const text = page.data?.markdown;
  useEffect(() => {
    // What the address names exists only since the text is there.
    if (text !== undefined && hash) window.document.getElementById(decodeURIComponent(hash))?.scrollIntoView();
  }, [text, hash]);

  const hrefOfCitation = useCallback(
    (to: Citation) =>
      router.buildLocation({
        to: READER,
        params: { document: document.id, slug: current.slug },
        search: { cite: citationParam(to) },
      }).href,
    [router, document.id, current.slug],
  );
  const around: Around = useMemo(
    () => ({
      document: document.id,
      title: current.title,
      cited: citation && JSON.stringify(citation),
      hrefOfPage: (slug, fragment) =>
        router.buildLocation({ to: READER, params: { document: document.id, slug }, hash: fragment }).href,
      hrefOfCitation,
      onPage: open,
      onCite: (to) =>
        navigate({
          to: READER,
          params: { document: document.id, slug: current.slug },
          search: { cite: citationParam(to) },
          resetScroll: false,
        }),
    }),
    [document.id, current, citation, router, navigate, open, hrefOfCitation],
  );
  return (
    <div className="mx-auto grid w-full max-w-[96rem] gap-x-10 px-4 sm:px-8 lg:grid-cols-[15rem_minmax(0,1fr)] xl:grid-cols-[16rem_minmax(0,1fr)_13rem] print:block">
      <div className="sticky top-0 hidden h-dvh pt-8 lg:block print:hidden">
        <PageTree document={document.id} pages={pages} current={current.slug} />
      </div>
      <div className="min-w-0 pt-6 pb-20 lg:border-l lg:border-rule lg:pl-10 print:border-0 print:p-0">
        <div className="mb-5 flex flex-wrap items-center justify-between gap-x-6 gap-y-2 text-xs text-faint">
          <p className="flex flex-wrap items-center gap-x-2">
            <Link to="/repositories/$repository" params={{ repository: document.repository_id }} className="link">
              {repository.data?.name ?? t('nav.repositories')}
            </Link>
            <span translate="no">{document.title}</span>
            {document.commit && <span>{t('reader.commit', { commit: document.commit.slice(0, 10) })}</span>}
            {!isOver(document.state) && <StateBadge state={document.state} />}
          </p>
          <button
            type="button"
            aria-expanded={listOpen}
            onClick={() => setListOpen(!listOpen)}
            className="rounded-md border border-rule bg-sheet px-3 py-1.5 font-semibold text-ink lg:hidden"
          >
            {t('reader.contents')}
          </button>
        </div>
        {listOpen && (
          <div className="mb-6 h-[60dvh] rounded-md border border-rule bg-sheet p-3 lg:hidden">
            <PageTree document={document.id} pages={pages} current={current.slug} />
          </div>
        )}
        <Renewal document={document} slug={current.slug} />
        <Loaded of={page}>
          {({ state, markdown, failure_reason }) => (
            <article ref={article} className="prose">
              {state === 'published' && <Markdown markdown={markdown ?? ''} around={around} />}
              {state !== 'published' && <h1>{current.title}</h1>}
              {state === 'failed' && (
                <p role="alert" className="border-l-4 border-danger bg-danger-ground px-5 py-4 font-sans text-sm">
                  {t('reader.page_failed')} {failure_reason}
                </p>
              )}
              {state === 'requested' && <p role="status">{t('reader.page_waiting')}</p>}
            </article>
          )}
        </Loaded>
        <nav
          aria-label={t('reader.pages')}
          className="mt-14 grid grid-cols-2 gap-4 border-t border-rule-strong pt-4 print:hidden"
        >
          {previous ? <Step to={previous} document={document.id} label={t('reader.previous')} /> : <span />}
          {next && <Step to={next} document={document.id} label={t('reader.next')} right />}
        </nav>
      </div>
      <div className="sticky top-0 hidden h-dvh pt-8 xl:block print:hidden">
        <Contents of={article} version={`${current.slug} ${page.data?.revision ?? ''} ${text?.length ?? 0}`} />
      </div>
      {citation && (
        <Drawer
          citation={citation}
          document={document.id}
          repository={document.repository_id}
          commit={document.commit ?? ''}
          onClose={close}
          hrefOf={hrefOfCitation}
        />
      )}
    </div>
  );
}

function Step({
  to,
  document,
  label,
  right = false,
}: {
  to: PageEntry;
  document: string;
  label: string;
  right?: boolean;
}) {
  return (
    <Link
      to={READER}
      params={{ document, slug: to.slug }}
      rel={right ? 'next' : 'prev'}
      className={`group flex min-w-0 flex-col no-underline ${right ? 'items-end text-right' : ''}`}
    >
      <span className="text-xs text-faint">{label}</span>
      <span translate="no" className="max-w-full truncate font-display text-lg group-hover:underline">
        {to.title}
      </span>
    </Link>
  );
}
