import { useQueryErrorResetBoundary } from '@tanstack/react-query';
import { type ErrorComponentProps, Link, useRouter } from '@tanstack/react-router';
import { useEffect } from 'react';
import { ApiProblem } from '../api/client.ts';
import { useI18n } from '../i18n/index.ts';
import { Button, buttonClass } from '../ui/Button.tsx';
import { Page } from '../ui/Page.tsx';
import { Failure } from '../ui/State.tsx';

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
    <Page title={t('problem.not_found_title')} lead={t('problem.not_found_text')}>
      <Link to="/" className={buttonClass('main')}>
        {t('problem.home')}
      </Link>
    </Page>
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
