import type { ReactNode } from 'react';
import { useI18n } from '../i18n/index.ts';
import { explain } from '../lib/problem.ts';
import { Button } from './Button.tsx';

export function Loading({ className = 'py-16' }: { className?: string }) {
  const { t } = useI18n();
  return (
    <div role="status" className={`flex flex-col items-center gap-3 text-faint ${className}`}>
      <Cup className="size-10" steaming />
      <span className="text-xs">{t('common.loading')}</span>
    </div>
  );
}

export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-3 border-y border-rule px-6 py-14 text-center">
      <Cup className="size-10 text-faint" />
      <p className="font-display text-xl">{title}</p>
      {children && <div className="flex max-w-md flex-col items-center gap-4 text-soft">{children}</div>}
    </div>
  );
}

export function Failure({ error, retry }: { error: unknown; retry?: () => void }) {
  const i18n = useI18n();
  const { title, detail } = explain(error, i18n);
  return (
    <div role="alert" className="flex flex-col items-start gap-3 border-l-4 border-danger bg-danger-ground px-5 py-4">
      <div>
        <p className="font-semibold text-danger">{i18n.t('problem.title')}</p>
        <p>{title}</p>
        {detail && (
          <p lang="en" className="text-xs text-soft">
            {detail}
          </p>
        )}
      </div>
      {retry && (
        <Button small onClick={retry}>
          {i18n.t('common.retry')}
        </Button>
      )}
    </div>
  );
}

interface Query<T> {
  data: T | undefined;
  error: unknown;
  refetch: () => unknown;
}

/** Loading, failed or there: the three faces of everything that is asked for. */
export function Loaded<T>({ of, children }: { of: Query<T>; children: (data: T) => ReactNode }) {
  if (of.data !== undefined) return children(of.data);
  if (of.error) return <Failure error={of.error} retry={() => of.refetch()} />;
  return <Loading />;
}

export function Cup({ className = '', steaming = false }: { className?: string; steaming?: boolean }) {
  return (
    <svg
      viewBox="0 0 32 32"
      fill="none"
      stroke="currentColor"
      className={`[stroke-width:1.5] ${className}`}
      aria-hidden="true"
    >
      <path d="M6 13h16v6a8 8 0 0 1-16 0z" />
      <path d="M22 15h1.5a3.5 3.5 0 0 1 0 7H21M5 29h18" strokeLinecap="round" />
      <path
        d="M11 9.5c0-2 1.8-2 1.8-4M16 9.5c0-2 1.8-2 1.8-4"
        strokeLinecap="round"
        className={steaming ? 'steam' : undefined}
      />
    </svg>
  );
}
