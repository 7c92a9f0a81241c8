import { Link, Outlet } from '@tanstack/react-router';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { Forbidden } from '../shell/Crash.tsx';

const PARTS = [
  ['/admin/users', 'nav.users'],
  ['/admin/queues', 'nav.queues'],
  ['/admin/dead-letters', 'nav.dead_letters'],
  ['/admin/audit', 'nav.audit'],
] as const;

export default function Admin() {
  const { t } = useI18n();
  const { oversee } = useRights();
  if (!oversee) return <Forbidden />;
  return (
    <>
      <nav aria-label={t('nav.admin')} className="mx-auto max-w-6xl px-4 pt-5 sm:px-8">
        <ul className="-ml-3 flex flex-wrap gap-x-1 gap-y-2 sm:gap-x-2">
          {PARTS.map(([to, key]) => (
            <li key={to}>
              <Link
                to={to}
                activeOptions={{ includeSearch: false }}
                className="inline-block rounded-md px-3 py-1 no-underline"
                activeProps={{ className: 'bg-accent-ground font-semibold text-accent', 'aria-current': 'page' }}
                inactiveProps={{ className: 'text-soft hover:bg-sunk' }}
              >
                {t(key)}
              </Link>
            </li>
          ))}
        </ul>
      </nav>
      <Outlet />
    </>
  );
}
