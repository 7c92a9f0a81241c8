import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link, useNavigate, useParams } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { isOver, repository, run as runQuery, tasks as tasksQuery } from '../api/queries.ts';
import type { RunEvent, Run as RunRow, Task } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useLive } from '../lib/live.ts';
import { useRights } from '../lib/me.ts';
import { useOnce } from '../lib/once.ts';
import { strip } from '../lib/pipeline.ts';
import { Badge, StateBadge } from '../ui/Badge.tsx';
import { Button } from '../ui/Button.tsx';
import { Ask } from '../ui/Dialog.tsx';
import { Page, Section } from '../ui/Page.tsx';
import { Failure, Loaded, Loading } from '../ui/State.tsx';
import { Strip } from '../ui/Strip.tsx';
import { Ago } from '../ui/Time.tsx';
import { notifyProblem } from '../ui/Toast.tsx';

export default function Run() {
  const { run: id } = useParams({ from: '/inside/runs/$run' });
  const found = useQuery(runQuery(id));
  if (!found.data) {
    return (
      <Page title="…">{found.error ? <Failure error={found.error} retry={() => found.refetch()} /> : <Loading />}</Page>
    );
  }
  return <Open key={id} run={found.data} />;
}

function Open({ run }: { run: RunRow }) {
  const { t, moment, duration } = useI18n();
  const { write } = useRights();
  const of = useQuery(repository(run.repository_id));
  const live = useLive(run, true);
  const client = useQueryClient();
  const navigate = useNavigate();
  const [asking, setAsking] = useState(false);
  const name = of.data?.name ?? '…';
  const over = isOver(run.state);
  const tasks = useQuery({ ...tasksQuery(run.id), refetchInterval: over ? false : 3_000 });
  const cancel = useMutation({
    mutationFn: () => data(api.POST('/api/v1/runs/{run}/cancel', { params: { path: { run: run.id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['run', run.id] }),
    onError: notifyProblem,
    onSettled: () => setAsking(false),
  });
  const retry = useOnce({
    send: (header) => {
      const params = { path: { run: run.id }, header: header({ run: run.id }) };
      return data(api.POST('/api/v1/runs/{run}/retry', { params }));
    },
    onSuccess: (made) => navigate({ to: '/runs/$run', params: { run: made.id } }),
    onError: notifyProblem,
  });
  return (
    <Page
      title={t('run.title', { name })}
      above={
        <Link to="/runs" className="link">
          {t('runs.title')}
        </Link>
      }
      lead={
        <span className="flex flex-wrap items-center gap-x-3 gap-y-1 text-sm">
          <StateBadge state={run.state} />
          {live.connected && !over && <Badge tone="busy">{t('run.live')}</Badge>}
          <Link to="/repositories/$repository" params={{ repository: run.repository_id }} className="link">
            {t('runs.repository')}
          </Link>
          <span>{run.ref || t('common.default_branch')}</span>
          {run.commit && <code className="font-mono text-xs">{run.commit.slice(0, 10)}</code>}
          <span>{moment(run.created_at)}</span>
          {run.seconds !== undefined && <span>{duration(run.seconds)}</span>}
        </span>
      }
      actions={
        write &&
        // Two buttons, not one that changes its meaning below a finger: a click on the former must not start a run.
        (over ? (
          <Button key="retry" busy={retry.isPending} onClick={() => retry.mutate()}>
            {t('run.retry')}
          </Button>
        ) : (
          <Button key="cancel" look="danger" onClick={() => setAsking(true)}>
            {t('run.cancel')}
          </Button>
        ))
      }
    >
      <Strip stages={strip(run, live.progress)} live={live.progress} wide announce label={t('stage.strip')} />
      {run.failure && (
        <div role="alert" className="mt-6 border-l-4 border-danger bg-danger-ground px-5 py-4">
          <p className="font-semibold text-danger">{t('run.failure')}</p>
          <p lang="en">{run.failure.reason}</p>
          <code className="font-mono text-xs text-soft">{run.failure.code}</code>
        </div>
      )}
      <div className="mt-10 grid grid-cols-1 gap-x-12 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
        <div>
          <Section title={t('run.documents')}>
            <ul>
              {(run.documents ?? []).map((one) => (
                <li key={one.id} className="border-b border-rule py-2 first:pt-0">
                  <div className="flex flex-wrap items-baseline gap-x-3">
                    <Link
                      to="/documents/$document/{-$slug}"
                      params={{ document: one.id }}
                      className="font-display text-lg no-underline hover:underline"
                    >
                      {one.title}
                    </Link>
                    <StateBadge state={one.state} />
                  </div>
                  {one.failure && <p className="text-xs text-danger">{one.failure}</p>}
                </li>
              ))}
            </ul>
          </Section>
          <Section title={t('run.timeline')}>
            <Timeline events={live.events} />
          </Section>
        </div>
        <div className="max-lg:mt-10">
          <Loaded of={tasks}>{({ items }) => <Tasks items={items} />}</Loaded>
        </div>
      </div>
      {asking && (
        <Ask
          question={t('run.cancel_ask')}
          action={t('run.cancel')}
          busy={cancel.isPending}
          onYes={() => cancel.mutate()}
          onClose={() => setAsking(false)}
        />
      )}
    </Page>
  );
}

function Timeline({ events }: { events: RunEvent[] }) {
  const { t, n, moment, maybe, bytes } = useI18n();
  if (events.length === 0) return <p className="text-soft">{t('run.waiting')}</p>;
  return (
    <ol className="ml-1.5 border-l border-rule-strong">
      {events.map((event) => {
        const payload = (event.payload ?? {}) as Record<string, unknown>;
        const reason = typeof payload.reason === 'string' ? payload.reason : undefined;
        const fact = event.transition?.split('/')[0] ?? '';
        // A document that ended without a page ended all the same; nobody would call it complete.
        const word = fact === 'document_completed' && reason ? 'document_failed' : fact;
        const failed = word.includes('fail');
        // What was left out or failed is said only if there is any; of a failure, only what there is.
        const figures = Object.entries(payload).filter(
          (entry): entry is [string, number] =>
            typeof entry[1] === 'number' && (entry[1] > 0 || !(reason || /^(failed_.*|skipped|known)$/.test(entry[0]))),
        );
        return (
          <li key={event.sequence} className="relative pb-4 pl-5">
            <span
              aria-hidden="true"
              className={`absolute top-1.5 -left-[0.3125rem] size-2.5 rounded-full ${failed ? 'bg-danger' : 'bg-brass'}`}
            />
            <p className="font-medium">{maybe(`run.event.${word}`) ?? word.replaceAll('_', ' ')}</p>
            {event.occurred_at && (
              <time dateTime={event.occurred_at} className="text-xs text-faint">
                {moment(event.occurred_at)}
              </time>
            )}
            {reason && (
              <p lang="en" className={`text-xs ${failed ? 'text-danger' : 'text-soft'}`}>
                {reason}
              </p>
            )}
            {figures.length > 0 && (
              <p className="text-xs text-faint">
                {figures
                  .map(
                    ([name, value]) => `${maybe(`fact.${name}`) ?? name} ${name === 'bytes' ? bytes(value) : n(value)}`,
                  )
                  .join(' · ')}
              </p>
            )}
          </li>
        );
      })}
    </ol>
  );
}

const MANY = 60;
const PARTS = ['batch', 'link'];

function Tasks({ items }: { items: Task[] }) {
  const { t, n, maybe } = useI18n();
  const [errorsOnly, setErrorsOnly] = useState(false);
  const [all, setAll] = useState(false);
  const wrong = items.filter((one) => one.state === 'failed');
  const tried = items.some((one) => one.attempts);
  const shown = errorsOnly ? wrong : items;
  const visible = all ? shown : shown.slice(0, MANY);
  return (
    <Section
      title={t('run.tasks')}
      count={items.length > 0 ? n(items.length) : undefined}
      actions={
        wrong.length > 0 && (
          <label className="flex items-center gap-2 text-xs">
            <input
              type="checkbox"
              checked={errorsOnly}
              onChange={(event) => setErrorsOnly(event.target.checked)}
              className="accent-accent"
            />
            {t('run.errors_only')} ({wrong.length})
          </label>
        )
      }
    >
      {items.length === 0 ? (
        <p className="text-soft">{t('run.no_tasks')}</p>
      ) : (
        <div className="relative overflow-x-auto" tabIndex={0} role="group" aria-label={t('run.tasks')}>
          <table className="table">
            <thead>
              <tr>
                <th>{t('run.kind')}</th>
                <th>{t('run.task')}</th>
                <th>{t('runs.state')}</th>
                {tried && <th className="number">{t('run.attempts')}</th>}
                <th>{t('run.updated')}</th>
              </tr>
            </thead>
            <tbody>
              {visible.map((one) => (
                <tr key={`${one.kind} ${one.name}`}>
                  <td className="text-xs text-faint">{maybe(`run.kind.${one.kind}`) ?? one.kind}</td>
                  <td className="min-w-40 break-words">
                    {/* The server names batches in English; pages are called what their document calls them. */}
                    <span {...(PARTS.includes(one.kind) ? { lang: 'en' } : { translate: 'no' })}>{one.name}</span>
                    {one.detail && (
                      <p lang="en" className="text-xs text-soft">
                        {one.detail}
                      </p>
                    )}
                  </td>
                  <td>
                    <StateBadge state={one.state} />
                  </td>
                  {tried && <td className="number">{one.attempts ? n(one.attempts) : ''}</td>}
                  <td className="text-xs text-faint">{one.updated_at && <Ago at={one.updated_at} />}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {!all && shown.length > MANY && (
        <Button small className="mt-4" onClick={() => setAll(true)}>
          {t('common.more')}
        </Button>
      )}
    </Section>
  );
}
