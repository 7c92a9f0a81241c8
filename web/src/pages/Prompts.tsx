import { useInfiniteQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { prompts } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { Badge } from '../ui/Badge.tsx';
import { buttonClass } from '../ui/Button.tsx';
import { More } from '../ui/More.tsx';
import { Page } from '../ui/Page.tsx';
import { Empty, Loaded } from '../ui/State.tsx';
import { Ago } from '../ui/Time.tsx';

export default function Prompts() {
  const { t } = useI18n();
  const { write } = useRights();
  const list = useInfiniteQuery(prompts);
  return (
    <Page
      title={t('prompts.title')}
      lead={t('prompts.lead')}
      actions={
        write && (
          <Link to="/prompts/new" className={buttonClass('main')}>
            {t('prompts.add')}
          </Link>
        )
      }
    >
      <Loaded of={list}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.items);
          if (all.length === 0) return <Empty title={t('prompts.empty')} />;
          return (
            <>
              <ul className="border-b border-rule">
                {all.map((one) => (
                  <li key={one.id} className="border-t border-rule py-5">
                    <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
                      <h2 className="text-xl">
                        <Link
                          to="/prompts/$template"
                          params={{ template: one.id }}
                          className="no-underline hover:underline"
                        >
                          {one.name}
                        </Link>
                      </h2>
                      {one.built_in && <Badge>{t('prompts.built_in')}</Badge>}
                      <span className="text-xs text-faint">
                        {t('prompts.version', { n: one.latest_version })} · <Ago at={one.created_at} />
                      </span>
                    </div>
                    {one.description && <p className="mt-1 max-w-2xl text-soft">{one.description}</p>}
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
