import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { documents, isOver } from '../api/queries.ts';
import type { Document } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';

/** Says when what is read is not complete yet, is being renewed, or was. */
export function Renewal({ document, slug }: { document: Document; slug: string }) {
  const { t, n } = useI18n();
  const siblings = useQuery({
    ...documents(document.repository_id),
    refetchInterval: ({ state }) => (state.data?.items.some((one) => !isOver(one.state)) ? 5_000 : 60_000),
  });
  const box = 'mb-6 border-l-4 border-brass bg-warning-ground px-4 py-2.5 text-sm print:hidden';
  if (!isOver(document.state)) {
    const pages = document.pages ?? [];
    const done = pages.filter((one) => one.state === 'published').length;
    return (
      <p role="status" className={box}>
        {t('reader.writing', { done: n(done), total: n(pages.length) })} <RunLink run={document.run_id} />
      </p>
    );
  }
  const newer = siblings.data?.items.filter(
    (one) => one.title === document.title && one.writer === document.writer && one.requested_at > document.requested_at,
  );
  const written = newer?.find((one) => one.state.startsWith('completed'));
  const coming = newer?.find((one) => !isOver(one.state));
  if (written) {
    return (
      <p role="status" className={box}>
        {t('reader.newer')}{' '}
        <Link to="/documents/$document/{-$slug}" params={{ document: written.id, slug }} className="link font-semibold">
          {t('reader.newer_open')}
        </Link>
      </p>
    );
  }
  if (!coming) return null;
  return (
    <p role="status" className={box}>
      {t('reader.renewing')} <RunLink run={coming.run_id} />
    </p>
  );
}

function RunLink({ run }: { run: string }) {
  const { t } = useI18n();
  return (
    <Link to="/runs/$run" params={{ run }} className="link font-semibold">
      {t('reader.renewing_show')}
    </Link>
  );
}
