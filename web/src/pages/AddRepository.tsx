import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useNavigate } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { credentialChoice } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { useOnce } from '../lib/once.ts';
import { useFieldFaults } from '../lib/problem.ts';
import { Forbidden } from '../shell/Crash.tsx';
import { Button } from '../ui/Button.tsx';
import { CredentialForm } from '../ui/CredentialForm.tsx';
import { Field, inputClass } from '../ui/Field.tsx';
import { Page } from '../ui/Page.tsx';
import { Failure } from '../ui/State.tsx';

const NEW = 'new';

export default function AddRepository() {
  const { t } = useI18n();
  const { write, maintain } = useRights();
  const client = useQueryClient();
  const navigate = useNavigate();
  // Only those who keep credentials see them.
  const known = useQuery({ ...credentialChoice, enabled: maintain });
  const [form, setForm] = useState({ url: '', name: '', ref: '', credential: '' });
  const set = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));

  const url = form.url.trim();
  const credential = form.credential === '' || form.credential === NEW ? undefined : form.credential;
  const test = useMutation({
    mutationFn: () => data(api.POST('/api/v1/repositories/test-connection', { body: { url, credential } })),
  });
  const add = useOnce({
    send: (header) => {
      const body = { url, credential, name: form.name.trim() || undefined, ref: form.ref.trim() || undefined };
      return data(api.POST('/api/v1/repositories', { params: { header: header(body) }, body }));
    },
    onSuccess: ({ run }) => {
      // What is known already: the stages are there before the first answer about them.
      client.setQueryData(['run', run.id], run);
      client.invalidateQueries({ queryKey: ['repositories'] });
      navigate({ to: '/' });
    },
  });
  const faults = [useFieldFaults(add.error), useFieldFaults(test.error)];
  const wrong = (pointer: string) => faults.map((one) => one.wrong(pointer)).find(Boolean);
  const general = [add.error, test.error].find((error, at) => error && !faults[at]?.any);

  if (!write) return <Forbidden />;
  return (
    <Page title={t('add.title')} lead={t('add.lead')}>
      <form
        className="flex max-w-2xl flex-col gap-5"
        onSubmit={(event) => {
          event.preventDefault();
          add.mutate();
        }}
      >
        <Field label={t('add.url')} hint={t('add.url_hint')} error={wrong('/url')}>
          {(field) => (
            <input
              {...field}
              required
              inputMode="url"
              autoComplete="off"
              spellCheck={false}
              value={form.url}
              onChange={(event) => {
                set({ url: event.target.value });
                test.reset();
              }}
              className={`${inputClass} font-mono`}
            />
          )}
        </Field>
        <div className="grid gap-5 sm:grid-cols-2">
          <Field label={t('add.name')} hint={t('add.name_hint')} error={wrong('/name')} optional>
            {(field) => (
              <input
                {...field}
                value={form.name}
                onChange={(event) => set({ name: event.target.value })}
                className={inputClass}
              />
            )}
          </Field>
          <Field label={t('add.ref')} hint={t('add.ref_hint')} error={wrong('/ref')} optional>
            {(field) => (
              <input
                {...field}
                spellCheck={false}
                value={form.ref}
                onChange={(event) => set({ ref: event.target.value })}
                className={`${inputClass} font-mono`}
              />
            )}
          </Field>
        </div>
        <Field label={t('add.credential')} error={wrong('/credential')}>
          {(field) => (
            <select
              {...field}
              value={form.credential}
              onChange={(event) => {
                set({ credential: event.target.value });
                test.reset();
              }}
              className={inputClass}
            >
              <option value="">{t('add.credential_none')}</option>
              {known.data?.map((one) => (
                <option key={one.id} value={one.id}>
                  {one.name} ({one.host})
                </option>
              ))}
              {maintain && <option value={NEW}>{t('add.credential_new')}</option>}
            </select>
          )}
        </Field>
        {form.credential === NEW && (
          <CredentialForm host={hostOf(url)} onSaved={(saved) => set({ credential: saved.id })} />
        )}
        {test.data && (
          <div
            role="status"
            className={`border-l-4 px-4 py-3 ${test.data.readable ? 'border-accent bg-accent-ground' : 'border-danger bg-danger-ground'}`}
          >
            <p className="font-semibold">
              {!test.data.readable
                ? t('add.unreadable')
                : test.data.default_ref
                  ? t('add.readable_ref', { ref: test.data.default_ref.replace('refs/heads/', '') })
                  : t('add.readable')}
            </p>
            {test.data.reason && <p>{test.data.reason}</p>}
          </div>
        )}
        {general && <Failure error={general} />}
        <div className="flex flex-wrap gap-3">
          <Button type="submit" look="main" busy={add.isPending} disabled={form.credential === NEW || !url}>
            {t('add.submit')}
          </Button>
          <Button busy={test.isPending} disabled={form.credential === NEW || !url} onClick={() => test.mutate()}>
            {test.isPending ? t('add.testing') : t('add.test')}
          </Button>
        </div>
      </form>
    </Page>
  );
}

/** The host of an address, as a credential names it. */
function hostOf(url: string): string {
  const match = /^[a-z+]+:\/\/(?:[^@/]*@)?([^/]+)/i.exec(url) ?? /^(?:[^@/]+@)([^:/]+):/.exec(url);
  return match?.[1] ?? '';
}
