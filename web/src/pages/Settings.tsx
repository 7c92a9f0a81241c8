import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import type { ApiToken, Scope } from '../api/narrow.ts';
import { me, sessions, tokens } from '../api/queries.ts';
import { type Language, setLanguage, useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { useOnce } from '../lib/once.ts';
import { setTheme, type Theme, useTheme } from '../lib/theme.ts';
import { Badge } from '../ui/Badge.tsx';
import { Button } from '../ui/Button.tsx';
import { Secret } from '../ui/Copy.tsx';
import { Credentials } from '../ui/Credentials.tsx';
import { Ask } from '../ui/Dialog.tsx';
import { Field, inputClass } from '../ui/Field.tsx';
import { More } from '../ui/More.tsx';
import { Page, Section } from '../ui/Page.tsx';
import { Failure, Loaded } from '../ui/State.tsx';
import { notifyProblem } from '../ui/Toast.tsx';

export default function Settings() {
  const { t } = useI18n();
  const { maintain } = useRights();
  return (
    <Page title={t('settings.title')}>
      <div className="grid grid-cols-1 gap-x-14 lg:grid-cols-[minmax(0,2fr)_minmax(0,3fr)]">
        <div>
          <Section title={t('settings.profile')}>
            <Profile />
          </Section>
          <Section title={t('settings.appearance')}>
            <Appearance />
          </Section>
        </div>
        <div className="max-lg:mt-10">
          <Section title={t('settings.tokens')} lead={t('settings.tokens_lead')}>
            <Tokens />
          </Section>
          <Section title={t('settings.sessions')} lead={t('settings.sessions_lead')}>
            <Sessions />
          </Section>
          {maintain && (
            <Section title={t('credential.title')} lead={t('credential.lead')}>
              <Credentials />
            </Section>
          )}
        </div>
      </div>
    </Page>
  );
}

function Profile() {
  const { t } = useI18n();
  const who = useQuery(me);
  return (
    <Loaded of={who}>
      {(one) => (
        <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
          <dt className="sr-only">{t('users.name')}</dt>
          <dd translate="no" className="col-span-2 font-display text-2xl">
            {one.display_name}
          </dd>
          <dt className="text-faint">{t('settings.role')}</dt>
          <dd>{t(`role.${one.role}`)}</dd>
          <dt className="text-faint">{t('settings.workspace')}</dt>
          <dd>{one.workspace_name}</dd>
          <dt className="text-faint">{t('settings.signed_in_by')}</dt>
          <dd>{t(`settings.signed_in_by.${one.signed_in_by}`)}</dd>
        </dl>
      )}
    </Loaded>
  );
}

function Appearance() {
  const { t, language } = useI18n();
  const theme = useTheme();
  return (
    <div className="flex flex-col gap-5">
      <Choice<Language>
        legend={t('settings.language')}
        value={language}
        onChange={setLanguage}
        options={[
          ['en', 'English'],
          ['de', 'Deutsch'],
        ]}
      />
      <Choice<Theme>
        legend={t('settings.theme')}
        value={theme}
        onChange={setTheme}
        options={[
          ['system', t('settings.theme.system')],
          ['light', t('settings.theme.light')],
          ['dark', t('settings.theme.dark')],
        ]}
      />
    </div>
  );
}

interface ChoiceProps<T extends string> {
  legend: string;
  value: T;
  options: [T, string][];
  onChange: (value: T) => void;
}

function Choice<T extends string>({ legend, value, options, onChange }: ChoiceProps<T>) {
  return (
    <fieldset>
      <legend className="mb-1.5 text-xs font-semibold text-soft">{legend}</legend>
      <div className="flex flex-wrap gap-2">
        {options.map(([option, label]) => (
          <label
            key={option}
            className="cursor-pointer rounded-md border border-rule bg-sheet px-3 py-1.5 has-checked:border-accent has-checked:bg-accent-ground has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name={legend}
              value={option}
              checked={option === value}
              onChange={() => onChange(option)}
              className="sr-only"
            />
            {label}
          </label>
        ))}
      </div>
    </fieldset>
  );
}

const DAY = 86_400_000;

interface TokenDraft {
  name: string;
  scope: Scope;
  days: number;
}

function Tokens() {
  const { t, ago } = useI18n();
  const { own, write, administer } = useRights();
  const client = useQueryClient();
  const list = useInfiniteQuery(tokens);
  const [form, setForm] = useState<TokenDraft>({ name: '', scope: 'read', days: 90 });
  const [doomed, setDoomed] = useState<ApiToken>();
  const renew = () => client.invalidateQueries({ queryKey: ['tokens'] });
  const add = useOnce({
    send: (header, form: TokenDraft) => {
      const scopes: Scope[] =
        form.scope === 'admin' ? ['read', 'write', 'admin'] : form.scope === 'write' ? ['read', 'write'] : ['read'];
      const body = { name: form.name.trim(), scopes, expires_in_days: form.days };
      return data(api.POST('/api/v1/tokens', { params: { header: header(body) }, body }));
    },
    onSuccess: () => {
      setForm({ ...form, name: '' });
      renew();
    },
  });
  // Who is signed in with a token makes none that outlives it.
  const [asked, made] = [add.variables, add.data];
  const sooner =
    made && asked && Date.parse(made.expires_at) < Date.parse(made.created_at) + (asked.days - 0.5) * DAY
      ? ago(made.expires_at, Date.now())
      : undefined;
  const remove = useMutation({
    mutationFn: (id: string) => data(api.DELETE('/api/v1/tokens/{token}', { params: { path: { token: id } } })),
    onSuccess: (_, id) => {
      if (id === add.data?.token) add.reset();
      return renew();
    },
    onError: notifyProblem,
    onSettled: () => setDoomed(undefined),
  });
  return (
    <>
      <Loaded of={list}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.items);
          if (all.length === 0) return <p className="text-soft">{t('settings.tokens_empty')}</p>;
          return (
            <>
              <ul>
                {all.map((one) => (
                  <li
                    key={one.token}
                    className="flex items-start justify-between gap-4 border-b border-rule py-2.5 first:pt-0"
                  >
                    <div className="min-w-0">
                      <p className="flex flex-wrap items-baseline gap-x-2 gap-y-1">
                        <span className="mr-1 font-semibold break-words">{one.name}</span>
                        {one.scopes.map((scope) => (
                          <Badge key={scope}>{t(`settings.scope.${scope}`)}</Badge>
                        ))}
                      </p>
                      <p className="mt-1 text-xs text-faint">
                        <When key_="settings.token_expires" at={one.expires_at} />
                        {one.last_used_at && (
                          <>
                            {' · '}
                            <When key_="settings.token_used" at={one.last_used_at} />
                          </>
                        )}
                      </p>
                    </div>
                    <Button small look="danger" className="flex-none" onClick={() => setDoomed(one)}>
                      {t('common.delete')}
                    </Button>
                  </li>
                ))}
              </ul>
              <More of={list} />
            </>
          );
        }}
      </Loaded>
      {add.data && (
        <div className="mt-4">
          <Secret
            text={add.data.secret}
            note={[t('settings.token_secret'), sooner && t('settings.token_sooner', { when: sooner })]
              .filter(Boolean)
              .join(' ')}
          />
        </div>
      )}
      {own && (
        <form
          className="mt-5 grid gap-4 sm:grid-cols-[2fr_1fr_1fr_auto] sm:items-end"
          onSubmit={(event) => {
            event.preventDefault();
            add.mutate(form);
          }}
        >
          <Field label={t('settings.token_name')}>
            {(field) => (
              <input
                {...field}
                required
                value={form.name}
                onChange={(e) => setForm({ ...form, name: e.target.value })}
                className={inputClass}
              />
            )}
          </Field>
          <Field label={t('settings.token_scopes')}>
            {(field) => (
              <select
                {...field}
                value={form.scope}
                onChange={(e) => setForm({ ...form, scope: e.target.value as Scope })}
                className={inputClass}
              >
                <option value="read">{t('settings.scope.read')}</option>
                {write && <option value="write">{t('settings.scope.write')}</option>}
                {administer && <option value="admin">{t('settings.scope.admin')}</option>}
              </select>
            )}
          </Field>
          <Field label={t('settings.token_days')}>
            {(field) => (
              <input
                {...field}
                type="number"
                min={1}
                max={365}
                required
                value={form.days}
                onChange={(e) => setForm({ ...form, days: e.target.valueAsNumber })}
                className={inputClass}
              />
            )}
          </Field>
          <Button type="submit" busy={add.isPending}>
            {t('settings.token_add')}
          </Button>
        </form>
      )}
      {add.error && <Failure error={add.error} />}
      {doomed && (
        <Ask
          question={t('settings.token_delete_ask', { name: doomed.name })}
          action={t('common.delete')}
          busy={remove.isPending}
          onYes={() => remove.mutate(doomed.token)}
          onClose={() => setDoomed(undefined)}
        />
      )}
    </>
  );
}

type WhenKey = 'settings.token_expires' | 'settings.token_used' | 'settings.session_seen' | 'settings.session_since';

function When({ key_, at }: { key_: WhenKey; at: string }) {
  const { t, ago, moment } = useI18n();
  return (
    <time dateTime={at} title={moment(at)}>
      {t(key_, { when: ago(at, Date.now()) })}
    </time>
  );
}

function Sessions() {
  const { t } = useI18n();
  const client = useQueryClient();
  const list = useInfiniteQuery(sessions);
  const end = useMutation({
    mutationFn: (id: string) => data(api.DELETE('/api/v1/sessions/{session}', { params: { path: { session: id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['sessions'] }),
    onError: notifyProblem,
  });
  return (
    <Loaded of={list}>
      {({ pages }) => (
        <>
          <ul>
            {pages
              .flatMap((page) => page.items)
              .map((one) => (
                <li
                  key={one.session}
                  className="flex flex-wrap items-baseline gap-x-3 gap-y-1 border-b border-rule py-2.5 first:pt-0"
                >
                  <When key_="settings.session_since" at={one.created_at} />
                  <span className="text-xs text-faint">
                    <When key_="settings.session_seen" at={one.last_seen_at} />
                  </span>
                  {one.current ? (
                    <Badge tone="good">{t('settings.session_current')}</Badge>
                  ) : (
                    <Button small className="ml-auto" onClick={() => end.mutate(one.session)}>
                      {t('settings.session_end')}
                    </Button>
                  )}
                </li>
              ))}
          </ul>
          <More of={list} />
        </>
      )}
    </Loaded>
  );
}
