import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ApiProblem } from '../api/client.ts';
import { useI18n } from '../i18n/index.ts';
import { Button, buttonClass } from '../ui/Button.tsx';
import { Page } from '../ui/Page.tsx';
import { Cup, Failure } from '../ui/State.tsx';

export function Crash({ error }: ErrorComponentProps) {
  const { t } = useI18n();
  const router = useRouter();
  const boundary = useQueryErrorResetBoundary();
  useEffect(() => boundary.reset(), [boundary]);
  const again = () => (error instanceof ApiProblem ? router.invalidate() : window.location.reload());
  return (
    <Page title={t('problem.title')}>
      <Failure error={error} />
      <div className="mt-6 flex gap-2">
        <Button look="main" onClick={again}>
          {t('problem.reload')}
        </Button>
      </div>
    </Page>
  );
}

export function NotFound() {
  const { t } = useI18n();
  return (
    <div className="relative min-h-dvh overflow-hidden lg:pl-3.5">
      <div aria-hidden="true" className="stick fixed inset-y-0 left-0 hidden w-3.5 lg:block" />
      <Cup className="absolute -right-16 -bottom-10 size-80 text-brass opacity-30 [stroke-width:0.5]! sm:size-[28rem]" />
      <header className="px-4 pt-3 sm:px-8">
        <Link to="/" className="inline-flex items-center gap-2 no-underline">
          <Cup className="size-7" />
          <span className="font-display text-2xl tracking-tight">
            Caffeine<span className="text-accent">Code</span>
          </span>
        </Link>
        <div className="double-rule mt-2.5" />
      </header>
      <main className="relative">
        <Page title={t('problem.not_found_title')} lead={t('problem.not_found_text')}>
          <Link to="/" className={buttonClass('main')}>
            {t('problem.home')}
          </Link>
        </Page>
      </main>
    </div>
  );
}

export function Forbidden() {
  const { t } = useI18n();
  return (
    <Page title={t('problem.forbidden_title')} lead={t('problem.forbidden')}>
      <Link to="/" className={buttonClass('main')}>
        {t('problem.home')}
      </Link>
    </Page>
  );
}
