import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate, useSearch } from '@tanstack/react-router';
import { useState } from 'react';
import { ApiProblem, api, data, query } from '../api/client.ts';
import { signInOffer } from '../api/queries.ts';
import { type Language, setLanguage, useI18n } from '../i18n/index.ts';
import { safeTarget } from '../lib/target.ts';
import { Button, buttonClass } from '../ui/Button.tsx';
import { Field, inputClass } from '../ui/Field.tsx';
import { useTitle } from '../ui/Page.tsx';
import { Cup, Failure, Loaded } from '../ui/State.tsx';

export default function SignIn() {
  const { t, maybe, language } = useI18n();
  const { to, error, out } = useSearch({ from: '/sign-in' });
  const offer = useQuery(signInOffer);
  const target = safeTarget(to);
  const other: Language = language === 'de' ? 'en' : 'de';
  useTitle(t('sign_in.submit'));
  return (
    <main className="grid min-h-dvh lg:grid-cols-[3.5fr_5fr]">
      <div className="stick relative hidden overflow-hidden p-14 pt-28 text-[#f0e2cd] lg:flex">
        <Cup className="absolute -right-28 bottom-24 size-[30rem] text-brass opacity-40 [stroke-width:0.5]!" />
        <p className="relative max-w-sm font-display text-3xl leading-snug">{t('sign_in.lead')}</p>
      </div>
      <div className="flex flex-col px-6 py-8 sm:px-16">
        <div className="flex items-center justify-between">
          <span className="flex items-center gap-2 font-display text-2xl tracking-tight">
            <Cup className="size-7" />
            <span>
              Caffeine<span className="text-accent">Code</span>
            </span>
          </span>
          <button type="button" lang={other} className="link text-xs" onClick={() => setLanguage(other)}>
            {other === 'de' ? 'Deutsch' : 'English'}
          </button>
        </div>
        <div className="my-auto w-full max-w-md py-12">
          <div className="double-rule mb-6" />
          <h1 className="mb-2 text-4xl tracking-tight lg:mb-7">{t('sign_in.title')}</h1>
          <p className="mb-8 text-base text-soft lg:hidden">{t('sign_in.lead')}</p>
          {out && (
            <p role="status" className="mb-6 border-l-4 border-accent bg-accent-ground px-4 py-2">
              {t('sign_in.signed_out')}
            </p>
          )}
          {error && (
            <p role="alert" className="mb-6 border-l-4 border-danger bg-danger-ground px-4 py-2">
              {maybe(`sign_in.error.${error}`) ?? t('sign_in.error', { code: error })}
            </p>
          )}
          <Loaded of={offer}>
            {({ provider, token }) => (
              <div className="flex flex-col gap-6">
                {provider && (
                  <a href={`/login${query({ to: target })}`} className={`${buttonClass('main')} py-3`}>
                    {t('sign_in.provider', { name: provider.name })}
                  </a>
                )}
                {provider && token && <p className="text-center text-xs text-faint">{t('sign_in.or')}</p>}
                {token && <TokenForm target={target} alone={!provider} />}
                {!provider && !token && <p>{t('sign_in.none')}</p>}
              </div>
            )}
          </Loaded>
        </div>
      </div>
    </main>
  );
}

function TokenForm({ target, alone }: { target: string; alone: boolean }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const navigate = useNavigate();
  const [token, setToken] = useState('');
  const enter = useMutation({
    mutationFn: () => data(api.POST('/api/v1/session', { body: { token: token.trim() } })),
    onSuccess: async () => {
      await client.resetQueries();
      navigate({ href: target, replace: true });
    },
  });
  const refused = enter.error instanceof ApiProblem && [400, 401, 422].includes(enter.error.status);
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        enter.mutate();
      }}
    >
      {/* Keepers of passwords ask for a name beside the secret. */}
      <input type="text" name="username" autoComplete="username" defaultValue="api-token" hidden readOnly />
      <Field label={t('sign_in.token')} hint={t('sign_in.token_hint')} error={refused ? t('sign_in.wrong') : undefined}>
        {(field) => (
          <input
            {...field}
            type="password"
            autoComplete="current-password"
            required
            value={token}
            onChange={(event) => setToken(event.target.value)}
            className={`${inputClass} font-mono`}
          />
        )}
      </Field>
      {enter.error && !refused && <Failure error={enter.error} />}
      <div>
        <Button type="submit" look={alone ? 'main' : 'plain'} busy={enter.isPending}>
          {t('sign_in.submit')}
        </Button>
      </div>
    </form>
  );
}
