import { useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { api, data } from '../api/client.ts';
import type { Credential } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useOnce } from '../lib/once.ts';
import { useFieldFaults } from '../lib/problem.ts';
import { Button } from './Button.tsx';
import { Field, inputClass } from './Field.tsx';
import { type CredentialKind, NO_SECRET, SecretFields, secretOf } from './SecretFields.tsx';
import { Failure } from './State.tsx';

interface Props {
  host: string;
  onSaved: (saved: Credential) => void;
}

/** Makes a credential. It is no form of its own, since it stands in one. */
export function CredentialForm({ host, onSaved }: Props) {
  const { t } = useI18n();
  const client = useQueryClient();
  const [kind, setKind] = useState<CredentialKind>('token');
  const [form, setForm] = useState({ name: '', host, ...NO_SECRET });
  const set = (part: Partial<typeof form>) => setForm((before) => ({ ...before, ...part }));
  useEffect(() => setForm((before) => ({ ...before, host })), [host]);

  const save = useOnce({
    send: (header) => {
      const body = { name: form.name.trim(), host: form.host.trim(), ...secretOf(kind, form) };
      return data(api.POST('/api/v1/credentials', { params: { header: header(body) }, body }));
    },
    onSuccess: async (saved) => {
      await client.invalidateQueries({ queryKey: ['credentials'] });
      onSaved(saved);
    },
  });
  const { wrong, any } = useFieldFaults(save.error);
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
          <select
            {...field}
            value={kind}
            onChange={(e) => setKind(e.target.value as CredentialKind)}
            className={inputClass}
          >
            <option value="token">{t('credential.token')}</option>
            <option value="ssh_key">{t('credential.ssh_key')}</option>
            <option value="authority">{t('credential.authority')}</option>
          </select>
        )}
      </Field>
      <SecretFields kind={kind} secret={form} onChange={set} wrong={wrong} />
      {save.error && !any && <Failure error={save.error} />}
      <div>
        <Button busy={save.isPending} disabled={!form.name.trim() || !form.host.trim()} onClick={() => save.mutate()}>
          {t('credential.save')}
        </Button>
      </div>
    </fieldset>
  );
}
