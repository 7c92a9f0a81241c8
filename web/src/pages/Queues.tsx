import { useQuery } from '@tanstack/react-query';
import { queues } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { Page } from '../ui/Page.tsx';
import { Loaded } from '../ui/State.tsx';

export default function Queues() {
  const { t, n, bytes, duration } = useI18n();
  const list = useQuery(queues);
  return (
    <Page title={t('queues.title')} lead={t('queues.lead')}>
      <Loaded of={list}>
        {({ items }) => (
          <div className="relative overflow-x-auto" tabIndex={0} role="group" aria-label={t('queues.title')}>
            <table className="table cards">
              <thead>
                <tr>
                  <th>{t('queues.stage')}</th>
                  <th className="number">{t('queues.waiting')}</th>
                  <th className="number">{t('queues.in_flight')}</th>
                  <th className="number">{t('queues.redelivered')}</th>
                  <th className="number">{t('queues.oldest')}</th>
                  <th>{t('queues.stored')}</th>
                </tr>
              </thead>
              <tbody>
                {items.map((one) => {
                  const share = one.limit_bytes ? Math.min(1, one.stored_bytes / one.limit_bytes) : 0;
                  return (
                    <tr key={`${one.stream} ${one.durable}`}>
                      <td>
                        <span className="font-semibold">{one.stage}</span>
                        <p className="font-mono text-2xs text-faint">
                          {one.stream} · {one.durable}
                        </p>
                      </td>
                      <td data-label={t('queues.waiting')} className="number font-display text-xl">
                        {n(one.waiting)}
                      </td>
                      <td data-label={t('queues.in_flight')} className="number">
                        {n(one.in_flight)}
                      </td>
                      <td data-label={t('queues.redelivered')} className="number">
                        {n(one.redelivered)}
                      </td>
                      <td data-label={t('queues.oldest')} className="number">
                        {one.oldest_age_seconds != null ? duration(one.oldest_age_seconds) : '–'}
                      </td>
                      <td data-label={t('queues.stored')} className="min-w-40">
                        <div>
                          <span className="text-xs text-soft">
                            {bytes(one.stored_bytes)}
                            {one.limit_bytes ? ` / ${bytes(one.limit_bytes)}` : ''}
                          </span>
                          <span aria-hidden="true" className="mt-1 block h-1.5 bg-sunk">
                            <span
                              className={`block h-full ${share > 0.8 ? 'bg-danger' : 'bg-[var(--roast-2)]'}`}
                              style={{ width: `${share * 100}%` }}
                            />
                          </span>
                        </div>
                      </td>
                    </tr>
                  );
                })}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </Page>
  );
}
