import { useInfiniteQuery } from '@tanstack/react-query';
import { Link, useNavigate, useSearch } from '@tanstack/react-router';
import { isOver, runs } from '../api/queries.ts';
import { type Key, useI18n } from '../i18n/index.ts';
import { StateBadge } from '../ui/Badge.tsx';
import { inputClass } from '../ui/Field.tsx';
import { More } from '../ui/More.tsx';
import { Page } from '../ui/Page.tsx';
import { Empty, Loaded } from '../ui/State.tsx';
import { Ago } from '../ui/Time.tsx';

const STATES = [
  'queued',
  'pending',
  'cloning',
  'cloned',
  'analysed',
  'indexed',
  'completed',
  'completed_with_errors',
  'failed',
  'cancelled',
  'superseded',
] as const;

export default function Runs() {
  const { t, duration } = useI18n();
  const { state = '' } = useSearch({ from: '/inside/runs' });
  const navigate = useNavigate();
  const list = useInfiniteQuery({
    // A word that is no state, in an address that somebody wrote, filters nothing.
    ...runs(STATES.find((one) => one === state)),
    refetchInterval: ({ state: known }) =>
      known.data?.pages.some((page) => page.items.some((one) => !isOver(one.state))) ? 4_000 : 20_000,
  });
  return (
    <Page
      title={t('runs.title')}
      lead={t('runs.lead')}
      actions={
        <select
          aria-label={t('runs.state')}
          value={state}
          onChange={(event) =>
            navigate({ to: '/runs', search: { state: event.target.value || undefined }, replace: true })
          }
          className={`${inputClass} w-auto!`}
        >
          <option value="">
            {t('runs.state')}: {t('common.all')}
          </option>
          {STATES.map((one) => (
            <option key={one} value={one}>
              {t(`state.${one}` as Key)}
            </option>
          ))}
        </select>
      }
    >
      <Loaded of={list}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.items);
          if (items.length === 0) {
            return (
              <Empty title={t('runs.empty')}>
                <p>{t('runs.empty_text')}</p>
              </Empty>
            );
          }
          return (
            <>
              <ul className="border-b border-rule">
                <li
                  aria-hidden="true"
                  className="eyebrow hidden grid-cols-[minmax(0,3fr)_2fr_1fr_1fr_1fr] gap-4 border-b border-rule-strong pb-1.5 md:grid"
                >
                  <span>{t('runs.repository')}</span>
                  <span>{t('runs.state')}</span>
                  <span>{t('runs.commit')}</span>
                  <span>{t('runs.began')}</span>
                  <span>{t('runs.took')}</span>
                </li>
                {items.map((one) => (
                  <li
                    key={one.id}
                    className="grid grid-cols-2 items-baseline gap-x-4 gap-y-1 border-t border-rule py-3 first-of-type:border-t-0 md:grid-cols-[minmax(0,3fr)_2fr_1fr_1fr_1fr]"
                  >
                    <Link
                      to="/runs/$run"
                      params={{ run: one.id }}
                      className="min-w-0 font-display text-lg break-words no-underline hover:underline max-md:col-span-2"
                    >
                      {one.repository_name ?? one.id.slice(0, 8)}
                    </Link>
                    <span>
                      <StateBadge state={one.state} />
                    </span>
                    <code className="font-mono text-xs text-faint">{one.commit?.slice(0, 10)}</code>
                    <span className="text-xs text-soft">
                      <Ago at={one.created_at} />
                    </span>
                    <span className="text-xs text-soft tabular-nums">
                      {one.seconds !== undefined && duration(one.seconds)}
                    </span>
                  </li>
                ))}
              </ul>
              <More of={list} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
