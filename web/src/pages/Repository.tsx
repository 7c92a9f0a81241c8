import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { documents, isOver, overview, repository, repositoryRuns, run } from '../api/queries.ts';
import type { Overview } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { languageName } from '../lib/language.ts';
import { useLive } from '../lib/live.ts';
import { useRights } from '../lib/me.ts';
import { useOnce } from '../lib/once.ts';
import { strip } from '../lib/pipeline.ts';
import { StateBadge } from '../ui/Badge.tsx';
import { Button, buttonClass } from '../ui/Button.tsx';
import { Ask } from '../ui/Dialog.tsx';
import { Page, Section } from '../ui/Page.tsx';
import { Failure, Loaded, Loading } from '../ui/State.tsx';
import { Strip } from '../ui/Strip.tsx';
import { Ago } from '../ui/Time.tsx';
import { notify, notifyProblem } from '../ui/Toast.tsx';
import { Webhooks } from '../ui/Webhooks.tsx';

export default function Repository() {
  const { t, moment, duration } = useI18n();
  const { repository: id } = useParams({ from: '/inside/repositories/$repository' });
  const { write, maintain } = useRights();
  const found = useQuery(repository(id));
  const latestId = found.data?.latest_run_id;
  const latest = useQuery({ ...run(latestId ?? ''), enabled: latestId !== undefined });
  const live = useLive(latest.data);
  const figures = useQuery(overview(id));
  const written = useQuery(documents(id));
  const recent = useQuery(repositoryRuns(id));
  const client = useQueryClient();
  const start = useOnce({
    send: (header) => {
      const params = { path: { repository: id }, header: header({ id }) };
      return data(api.POST('/api/v1/repositories/{repository}/runs', { params, body: {} }));
    },
    onSuccess: () => {
      notify(t('repository.started'));
      client.invalidateQueries({ queryKey: ['repository', id] });
      client.invalidateQueries({ queryKey: ['repositories'] });
    },
    onError: notifyProblem,
  });

  if (!found.data) {
    return (
      <Page title="…">{found.error ? <Failure error={found.error} retry={() => found.refetch()} /> : <Loading />}</Page>
    );
  }
  const { name, url, ref, commit, created_at } = found.data;
  const readable = written.data?.items.find((one) => one.state.startsWith('completed'));
  return (
    <Page
      title={name}
      above={
        <Link to="/" className="link">
          {t('repositories.title')}
        </Link>
      }
      actions={
        <>
          {readable && (
            <Link to="/documents/$document/{-$slug}" params={{ document: readable.id }} className={buttonClass('main')}>
              {t('repository.open')}
            </Link>
          )}
          {/* What was never read has no source and nothing to find. */}
          {commit && (
            <>
              <Link
                to="/repositories/$repository/source/$"
                params={{ repository: id, _splat: '' }}
                className={buttonClass()}
              >
                {t('repository.source')}
              </Link>
              <Link to="/search" search={{ repository: id }} className={buttonClass()}>
                {t('repository.search')}
              </Link>
            </>
          )}
        </>
      }
    >
      {latest.data && (
        <div className="mb-10">
          <Strip
            stages={strip(latest.data, live.progress)}
            live={live.progress}
            wide
            announce
            label={t('repositories.run_of', { name })}
          />
          {latest.data.failure && (
            <p lang="en" className="mt-3 text-danger">
              {latest.data.failure.reason}
            </p>
          )}
        </div>
      )}
      <div className="grid grid-cols-1 gap-x-12 lg:grid-cols-[minmax(0,3fr)_minmax(0,2fr)]">
        <div>
          <Section title={t('repository.documents')}>
            <Loaded of={written}>
              {({ items }) =>
                items.length === 0 ? (
                  <p className="text-soft">{t('repository.no_documents')}</p>
                ) : (
                  <ul>
                    {items.map((one) => (
                      <li
                        key={one.id}
                        className="flex flex-wrap items-baseline gap-x-3 gap-y-1 border-b border-rule py-3 first:pt-0"
                      >
                        <Link
                          to="/documents/$document/{-$slug}"
                          params={{ document: one.id }}
                          className="font-display text-lg no-underline hover:underline"
                        >
                          {one.title}
                        </Link>
                        <StateBadge state={one.state} />
                        <span className="text-xs text-faint">
                          {t(one.writer === 'template' ? 'document.template' : 'document.structural')}
                          {' · '}
                          <Ago at={one.completed_at ?? one.requested_at} />
                          {one.commit && <code className="font-mono"> · {one.commit.slice(0, 10)}</code>}
                        </span>
                        {one.notice && (
                          <p lang="en" className="w-full text-xs text-soft">
                            {one.notice}
                          </p>
                        )}
                      </li>
                    ))}
                  </ul>
                )
              }
            </Loaded>
          </Section>
          <Section
            title={t('repository.recent_runs')}
            actions={
              write && (
                <Button small busy={start.isPending} onClick={() => start.mutate()}>
                  {t('repository.start')}
                </Button>
              )
            }
          >
            <Loaded of={recent}>
              {({ items }) => (
                <ul>
                  {items.map((one) => (
                    <li
                      key={one.id}
                      className="flex flex-wrap items-baseline gap-x-3 border-b border-rule py-2 first:pt-0"
                    >
                      <Link to="/runs/$run" params={{ run: one.id }} className="link">
                        <Ago at={one.created_at} />
                      </Link>
                      <StateBadge state={one.state} />
                      <span className="text-xs text-faint">
                        {one.commit && <code className="font-mono">{one.commit.slice(0, 10)}</code>}
                        {one.commit && isOver(one.state) && one.seconds !== undefined && ' · '}
                        {isOver(one.state) && one.seconds !== undefined && duration(one.seconds)}
                      </span>
                    </li>
                  ))}
                </ul>
              )}
            </Loaded>
          </Section>
          {maintain && <Webhooks repository={id} />}
        </div>
        <div className="max-lg:mt-10">
          <Section title={t('repository.figures')}>
            <Loaded of={figures}>{(data) => <Figures of={data} />}</Loaded>
            <dl className="mt-6 grid grid-cols-[auto_1fr] gap-x-4 gap-y-1 text-xs">
              <dt className="text-faint">{t('repository.address')}</dt>
              <dd className="break-all">{url}</dd>
              <dt className="text-faint">{t('add.ref')}</dt>
              <dd>{ref || t('common.default_branch')}</dd>
              {commit && (
                <>
                  <dt className="text-faint">{t('repository.commit')}</dt>
                  <dd className="font-mono break-all">{commit}</dd>
                </>
              )}
              <dt className="text-faint">{t('repository.added')}</dt>
              <dd>{moment(created_at)}</dd>
            </dl>
          </Section>
          {maintain && <Delete id={id} name={name} />}
        </div>
      </div>
    </Page>
  );
}

function Figures({ of }: { of: Overview }) {
  const { t, n, count } = useI18n();
  const figures = [
    [t('repository.files'), of.files],
    [t('repository.modules'), of.modules],
    [t('repository.symbols'), of.symbols],
    [t('repository.edges'), of.edges],
    [t('repository.chunks'), of.chunks],
    [t('repository.skipped'), of.skipped],
  ] as const;
  const total = of.languages.reduce((sum, one) => sum + one.lines, 0);
  const top = [...of.languages].sort((one, other) => other.lines - one.lines).slice(0, 6);
  return (
    <>
      <dl className="grid grid-cols-3 gap-x-4 gap-y-4">
        {figures.map(([label, value]) => (
          <div key={label} className="flex flex-col-reverse">
            <dt className="text-2xs text-faint">{label}</dt>
            <dd className="font-display text-2xl leading-none tabular-nums">{n(value)}</dd>
          </div>
        ))}
      </dl>
      {top.length > 0 && (
        <>
          <h3 className="mt-7 mb-2 font-sans text-xs font-semibold text-soft">{t('repository.languages')}</h3>
          <ul className="grid grid-cols-[minmax(0,auto)_1fr_auto] items-center gap-x-3 gap-y-1.5 text-xs">
            {top.map((one) => (
              <li key={one.language} className="contents">
                <span className="truncate">{languageName(one.language)}</span>
                <span className="h-1.5 bg-sunk" aria-hidden="true">
                  <span
                    className="block h-full bg-[var(--roast-2)]"
                    style={{ width: `${total ? (100 * one.lines) / total : 0}%` }}
                  />
                </span>
                <span className="text-right text-faint tabular-nums">{count('unit.lines', one.lines)}</span>
              </li>
            ))}
          </ul>
        </>
      )}
    </>
  );
}

function Delete({ id, name }: { id: string; name: string }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const remove = useMutation({
    mutationFn: () => data(api.DELETE('/api/v1/repositories/{repository}', { params: { path: { repository: id } } })),
    onSuccess: () => {
      notify(t('repository.deleting', { name }));
      client.invalidateQueries({ queryKey: ['repositories'] });
      navigate({ to: '/' });
    },
    onError: notifyProblem,
  });
  return (
    <div className="mt-10 border-t border-rule pt-4">
      <Button small look="danger" onClick={() => setAsking(true)}>
        {t('repository.delete')}
      </Button>
      {asking && (
        <Ask
          question={t('repository.delete_ask', { name })}
          action={t('common.delete')}
          busy={remove.isPending}
          onYes={() => remove.mutate()}
          onClose={() => setAsking(false)}
        />
      )}
    </div>
  );
}
