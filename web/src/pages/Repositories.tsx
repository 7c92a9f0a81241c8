import { useInfiniteQuery, useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { isOver, repositories, run } from '../api/queries.ts';
import type { Repository } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useLive } from '../lib/live.ts';
import { matches } from '../lib/match.ts';
import { useRights } from '../lib/me.ts';
import { strip } from '../lib/pipeline.ts';
import { StateBadge } from '../ui/Badge.tsx';
import { buttonClass } from '../ui/Button.tsx';
import { inputClass } from '../ui/Field.tsx';
import { More } from '../ui/More.tsx';
import { Page } from '../ui/Page.tsx';
import { Empty, Loaded } from '../ui/State.tsx';
import { Strip } from '../ui/Strip.tsx';
import { Ago } from '../ui/Time.tsx';

export default function Repositories() {
  const { t } = useI18n();
  const { write } = useRights();
  const list = useInfiniteQuery(repositories);
  const [filter, setFilter] = useState('');
  const add = write && (
    <Link to="/repositories/new" className={buttonClass('main')}>
      {t('repositories.add')}
    </Link>
  );
  return (
    <Page title={t('repositories.title')} actions={add}>
      <Loaded of={list}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.items);
          const shown = all.filter((one) => matches(`${one.name} ${one.url}`, filter));
          if (all.length === 0) {
            return (
              <Empty title={t('repositories.empty')}>
                <p>{t('repositories.empty_text')}</p>
                {add}
              </Empty>
            );
          }
          return (
            <>
              {all.length > 5 && (
                <input
                  type="search"
                  aria-label={t('repositories.filter')}
                  placeholder={t('repositories.filter')}
                  value={filter}
                  onChange={(event) => setFilter(event.target.value)}
                  className={`${inputClass} mb-6 max-w-sm`}
                />
              )}
              <ul className="border-b border-rule">
                {shown.map((one) => (
                  <Row key={one.id} repository={one} />
                ))}
              </ul>
              {shown.length === 0 && <p className="py-8 text-center text-soft">{t('repositories.no_match')}</p>}
              <More of={list} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Row({ repository }: { repository: Repository }) {
  const { t } = useI18n();
  const latest = useQuery({ ...run(repository.latest_run_id ?? ''), enabled: repository.latest_run_id !== undefined });
  const live = useLive(latest.data);
  const state = latest.data?.state ?? repository.status;
  const readable = latest.data?.documents?.find((one) => one.state.startsWith('completed'));
  return (
    <li
      data-repository={repository.id}
      className="grid gap-x-8 gap-y-3 border-t border-rule py-5 md:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]"
    >
      <div className="min-w-0">
        <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
          <h2 className="min-w-0 text-xl break-words">
            <Link
              to="/repositories/$repository"
              params={{ repository: repository.id }}
              className="no-underline hover:underline"
            >
              {repository.name}
            </Link>
          </h2>
          <StateBadge state={state ?? 'none'} />
        </div>
        <p className="mt-0.5 truncate text-xs text-faint" title={repository.url}>
          {repository.url.replace(/^https?:\/\//, '')}
        </p>
        <p className="mt-1 flex flex-wrap gap-x-3 text-xs text-faint">
          <span>{repository.ref || t('common.default_branch')}</span>
          {repository.commit && <code className="font-mono">{repository.commit.slice(0, 10)}</code>}
          {latest.data && <Ago at={latest.data.ended_at ?? latest.data.created_at} />}
        </p>
      </div>
      <div className="min-w-0 self-center">
        {latest.data && (
          <Strip
            stages={strip(latest.data, live.progress)}
            live={live.progress}
            label={t('repositories.run_of', { name: repository.name })}
          />
        )}
        {state === 'failed' && (repository.failure || latest.data?.failure) && (
          <p className="mt-2 text-xs text-danger">{latest.data?.failure?.reason ?? repository.failure}</p>
        )}
        {readable && latest.data && isOver(latest.data.state) && (
          <p className="mt-2 text-xs">
            <Link to="/documents/$document/{-$slug}" params={{ document: readable.id }} className="link font-semibold">
              {t('repository.open')}
            </Link>
          </p>
        )}
      </div>
    </li>
  );
}
