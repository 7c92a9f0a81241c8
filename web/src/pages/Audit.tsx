import { useInfiniteQuery } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { audit } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { Button } from '../ui/Button.tsx';
import { Field, inputClass } from '../ui/Field.tsx';
import { More } from '../ui/More.tsx';
import { Page } from '../ui/Page.tsx';
import { Empty, Loaded } from '../ui/State.tsx';

const FILTERS = [
  ['actor', 'audit.actor'],
  ['action', 'audit.action'],
  ['object', 'audit.object'],
] as const;

export default function Audit() {
  const { t, moment } = useI18n();
  const filter = useSearch({ from: '/inside/admin/audit' });
  const navigate = useNavigate();
  const list = useInfiniteQuery(audit(filter));
  const [draft, setDraft] = useState(filter);
  return (
    <Page title={t('audit.title')} lead={t('audit.lead')}>
      <form
        className="mb-6 grid gap-3 sm:grid-cols-[1fr_1fr_1fr_auto] sm:items-end"
        onSubmit={(event) => {
          event.preventDefault();
          const set = Object.fromEntries(Object.entries(draft).filter(([, value]) => value?.trim()));
          navigate({ to: '/admin/audit', search: set });
        }}
      >
        {FILTERS.map(([name, key]) => (
          <Field key={name} label={t(key)}>
            {(field) => (
              <input
                {...field}
                value={draft[name] ?? ''}
                onChange={(event) => setDraft({ ...draft, [name]: event.target.value })}
                className={inputClass}
              />
            )}
          </Field>
        ))}
        <span className="flex gap-2">
          <Button type="submit">{t('common.filter')}</Button>
          {Object.values(filter).some(Boolean) && (
            <Button
              look="quiet"
              onClick={() => {
                setDraft({});
                navigate({ to: '/admin/audit', search: {} });
              }}
            >
              {t('common.show_all')}
            </Button>
          )}
        </span>
      </form>
      <Loaded of={list}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.items);
          if (items.length === 0) return <Empty title={t('audit.empty')} />;
          return (
            <>
              <div className="relative overflow-x-auto" tabIndex={0} role="group" aria-label={t('audit.title')}>
                <table className="table cards">
                  <thead>
                    <tr>
                      <th>{t('audit.when')}</th>
                      <th>{t('audit.actor')}</th>
                      <th>{t('audit.action')}</th>
                      <th>{t('audit.object')}</th>
                      <th>{t('audit.from')}</th>
                      <th>{t('audit.hash')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((one) => (
                      <tr key={one.entry}>
                        <td data-label={t('audit.when')} className="text-xs whitespace-nowrap text-soft">
                          {moment(one.occurred_at)}
                        </td>
                        <td data-label={t('audit.actor')} translate="no">
                          {one.actor_name ?? one.actor ?? '–'}
                        </td>
                        <td data-label={t('audit.action')} className="font-semibold whitespace-nowrap">
                          {one.action}
                        </td>
                        <td data-label={t('audit.object')} className="text-xs">
                          <div>
                            {one.object_kind}
                            {one.object_id && (
                              <p className="font-mono text-2xs break-all text-faint">{one.object_id}</p>
                            )}
                            {one.detail !== undefined && one.detail !== null && JSON.stringify(one.detail) !== '{}' && (
                              <details className="text-faint">
                                <summary>{t('common.details')}</summary>
                                <pre className="max-w-md overflow-x-auto font-mono text-2xs whitespace-pre-wrap">
                                  {JSON.stringify(one.detail, null, 2)}
                                </pre>
                              </details>
                            )}
                          </div>
                        </td>
                        <td data-label={t('audit.from')} className="font-mono text-2xs whitespace-nowrap text-faint">
                          {one.ip}
                        </td>
                        <td data-label={t('audit.hash')} className="font-mono text-2xs text-faint" title={one.hash}>
                          {one.hash.slice(0, 8)}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              <More of={list} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}
