import { type ReactNode, useEffect } from 'react';
import { useI18n } from '../i18n/index.ts';

/** Names the tab. */
export function useTitle(title: string | undefined): void {
  const { t } = useI18n();
  useEffect(() => {
    document.title = title ? `${title} · ${t('app.name')}` : t('app.name');
  }, [title, t]);
}

interface Props {
  title: string;
  lead?: ReactNode;
  above?: ReactNode;
  actions?: ReactNode;
  children: ReactNode;
}

export function Page({ title, lead, above, actions, children }: Props) {
  useTitle(title);
  return (
    <div className="mx-auto w-full max-w-6xl px-4 pt-8 pb-20 sm:px-8">
      <header className="mb-7 flex flex-wrap items-end justify-between gap-x-8 gap-y-4">
        <div className="min-w-0">
          {above && <div className="mb-1 text-xs text-faint">{above}</div>}
          <h1 className="text-3xl tracking-tight break-words sm:text-4xl">{title}</h1>
          {lead && <div className="mt-2 max-w-2xl text-base text-soft">{lead}</div>}
        </div>
        {actions && <div className="flex flex-wrap gap-2">{actions}</div>}
      </header>
      {children}
    </div>
  );
}

/** A part of a page, under a rule. */
export function Section({ title, count, lead, actions, children }: Omit<Props, 'above'> & { count?: string }) {
  return (
    <section className="mt-10 first:mt-0">
      <div className="mb-4 flex flex-wrap items-baseline justify-between gap-3 border-t border-rule-strong pt-3">
        <h2 className="text-xl">
          {title}
          {count && <span className="ml-2 font-sans text-xs font-normal text-faint">{count}</span>}
        </h2>
        {actions}
      </div>
      {lead && <p className="mb-4 max-w-2xl text-soft">{lead}</p>}
      {children}
    </section>
  );
}
