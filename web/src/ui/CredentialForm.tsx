import { useMutation, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { ApiProblem, api, data } from '../api/client.ts';
import type { AddCredential, Credential } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { Button } from './Button.tsx';
import { Field, inputClass } from './Field.tsx';
import { Failure } from './State.tsx';

type Kind = 'token' | 'ssh_key' | 'authority';

interface Props {
  host: string;
  onSaved: (saved: Credential) => void;
}

/** Makes a credential. It is no form of its own, since it stands in one. */
export function CredentialForm({ host, onSaved }: Props) {
  const { t } = useI18n();
  const client = useQueryClient();
  const [kind, setKind] = useState<Kind>('token');
  const [form, setForm] = useState({ name: '', host, user: '', token: '', key: '', hosts: '', authority: '' });
  const set = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  useEffect(() => setForm((before) => ({ ...before, host })), [host]);

  const body = (): AddCredential => {
    const common = { name: form.name.trim(), host: form.host.trim() };
    if (kind === 'token') return { ...common, token: { user: form.user, token: form.token } };
    if (kind === 'ssh_key') return { ...common, ssh_key: { private_key: form.key, known_hosts: form.hosts } };
    return { ...common, authority: form.authority };
  };
  const save = useMutation({
    mutationFn: () => data(api.POST('/api/v1/credentials', { body: body() })),
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ['credentials'] });
      onSaved(saved);
    },
  });
  const fields = save.error instanceof ApiProblem ? save.error.fields : [];
  const wrong = (end: string) => fields.find(({ pointer }) => pointer.endsWith(end))?.detail;
  const long = `${inputClass} font-mono min-h-28`;
  return (
    <fieldset className="flex flex-col gap-4 border-l-2 border-brass pl-5">
      <legend className="sr-only">{t('add.credential_new')}</legend>
      <p className="text-xs text-soft">{t('credential.lead')}</p>
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('credential.name')} error={wrong('/name')}>
          {(field) => (
            <input
              {...field}
              value={form.name}
              onChange={(e) => set({ name: e.target.value })}
              className={inputClass}
            />
          )}
        </Field>
        <Field label={t('credential.host')} hint={t('credential.host_hint')} error={wrong('/host')}>
          {(field) => (
            <input
              {...field}
              value={form.host}
              onChange={(e) => set({ host: e.target.value })}
              className={inputClass}
            />
          )}
        </Field>
      </div>
      <Field label={t('credential.kind')}>
        {(field) => (
          <select {...field} value={kind} onChange={(e) => setKind(e.target.value as Kind)} className={inputClass}>
            <option value="token">{t('credential.token')}</option>
            <option value="ssh_key">{t('credential.ssh_key')}</option>
            <option value="authority">{t('credential.authority')}</option>
          </select>
        )}
      </Field>
      {kind === 'token' && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t('credential.user')} error={wrong('/user')}>
            {(field) => (
              <input
                {...field}
                autoComplete="off"
                value={form.user}
                onChange={(e) => set({ user: e.target.value })}
                className={inputClass}
              />
            )}
          </Field>
          <Field label={t('credential.secret')} error={wrong('/token/token')}>
            {(field) => (
              <input
                {...field}
                type="password"
                autoComplete="new-password"
                value={form.token}
                onChange={(e) => set({ token: e.target.value })}
                className={inputClass}
              />
            )}
          </Field>
        </div>
      )}
      {kind === 'ssh_key' && (
        <>
          <Field
            label={t('credential.private_key')}
            hint={t('credential.private_key_hint')}
            error={wrong('/private_key')}
          >
            {(field) => (
              <textarea
                {...field}
                spellCheck={false}
                value={form.key}
                onChange={(e) => set({ key: e.target.value })}
                className={long}
              />
            )}
          </Field>
          <Field
            label={t('credential.known_hosts')}
            hint={t('credential.known_hosts_hint')}
            error={wrong('/known_hosts')}
          >
            {(field) => (
              <textarea
                {...field}
                spellCheck={false}
                value={form.hosts}
                onChange={(e) => set({ hosts: e.target.value })}
                className={long}
              />
            )}
          </Field>
        </>
      )}
      {kind === 'authority' && (
        <Field label={t('credential.certificates')} error={wrong('/authority')}>
          {(field) => (
            <textarea
              {...field}
              spellCheck={false}
              value={form.authority}
              onChange={(e) => set({ authority: e.target.value })}
              className={long}
            />
          )}
        </Field>
      )}
      {save.error && fields.length === 0 && <Failure error={save.error} />}
      <div>
        <Button busy={save.isPending} disabled={!form.name.trim() || !form.host.trim()} onClick={() => save.mutate()}>
          {t('credential.save')}
        </Button>
      </div>
    </fieldset>
  );
}
