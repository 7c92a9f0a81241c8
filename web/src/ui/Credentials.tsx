import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { credentials } from '../api/queries.ts';
import type { Credential } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { useFieldFaults } from '../lib/problem.ts';
import { Badge } from './Badge.tsx';
import { Button } from './Button.tsx';
import { CredentialForm } from './CredentialForm.tsx';
import { Ask } from './Dialog.tsx';
import { More } from './More.tsx';
import { type CredentialKind, NO_SECRET, SecretFields, secretOf } from './SecretFields.tsx';
import { Failure, Loaded } from './State.tsx';
import { Ago } from './Time.tsx';
import { notify, notifyProblem } from './Toast.tsx';

/** What private hosts ask for: listed, made, given another secret, deleted. */
export function Credentials() {
  const { t } = useI18n();
  const { maintain } = useRights();
  const client = useQueryClient();
  const list = useInfiniteQuery(credentials);
  const [making, setMaking] = useState(false);
  const [doomed, setDoomed] = useState<Credential>();
  const remove = useMutation({
    mutationFn: (id: string) =>
      data(api.DELETE('/api/v1/credentials/{credential}', { params: { path: { credential: id } } })),
    onSuccess: () => client.invalidateQueries({ queryKey: ['credentials'] }),
    onError: notifyProblem,
    onSettled: () => setDoomed(undefined),
  });
  return (
    <>
      <Loaded of={list}>
        {({ pages }) => {
          const all = pages.flatMap((page) => page.items);
          if (all.length === 0) return <p className="text-soft">{t('credential.empty')}</p>;
          return (
            <>
              <ul>
                {all.map((one) => (
                  <Row key={one.id} credential={one} onDelete={() => setDoomed(one)} />
                ))}
              </ul>
              <More of={list} />
            </>
          );
        }}
      </Loaded>
      {maintain && (
        <div className="mt-5">
          {making ? (
            <>
              <CredentialForm host="" onSaved={() => setMaking(false)} />
              <Button small look="quiet" className="mt-3" onClick={() => setMaking(false)}>
                {t('common.cancel')}
              </Button>
            </>
          ) : (
            <Button small key="make" onClick={() => setMaking(true)}>
              {t('add.credential_new')}
            </Button>
          )}
        </div>
      )}
      {doomed && (
        <Ask
          question={t('credential.delete_ask', { name: doomed.name })}
          action={t('common.delete')}
          busy={remove.isPending}
          onYes={() => remove.mutate(doomed.id)}
          onClose={() => setDoomed(undefined)}
        />
      )}
    </>
  );
}

function Row({ credential, onDelete }: { credential: Credential; onDelete: () => void }) {
  const { t, count, maybe } = useI18n();
  const [replacing, setReplacing] = useState(false);
  return (
    <li className="border-b border-rule py-2.5 first:pt-0">
      <div className="flex flex-wrap items-start justify-between gap-x-4 gap-y-2">
        <div className="min-w-0 flex-1 basis-60">
          <p className="flex flex-wrap items-baseline gap-x-2 gap-y-1">
            <span className="mr-1 font-semibold break-words">{credential.name}</span>
            <Badge>{maybe(`credential.${credential.kind}`) ?? credential.kind}</Badge>
          </p>
          <p className="mt-1 text-xs break-words text-faint">
            {credential.host} · {count('credential.used', credential.repositories)}
            {credential.replaced_at && (
              <>
                {' · '}
                {t('credential.replaced')} <Ago at={credential.replaced_at} />
              </>
            )}
          </p>
        </div>
        <span className="flex gap-2">
          <Button small aria-expanded={replacing} onClick={() => setReplacing(!replacing)}>
            {t('credential.replace')}
          </Button>
          <Button small look="danger" onClick={onDelete}>
            {t('common.delete')}
          </Button>
        </span>
      </div>
      {replacing && <Replace credential={credential} onDone={() => setReplacing(false)} />}
    </li>
  );
}

function Replace({ credential, onDone }: { credential: Credential; onDone: () => void }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const [secret, setSecret] = useState(NO_SECRET);
  const kind = credential.kind as CredentialKind;
  const save = useMutation({
    mutationFn: () => {
      const params = { path: { credential: credential.id } };
      return data(api.PUT('/api/v1/credentials/{credential}', { params, body: secretOf(kind, secret) }));
    },
    onSuccess: () => {
      client.invalidateQueries({ queryKey: ['credentials'] });
      notify(t('credential.replaced_now', { name: credential.name }));
      onDone();
    },
  });
  const faults = useFieldFaults(save.error);
  return (
    <form
      className="mt-3 mb-2 flex flex-col gap-4 border-l-2 border-brass pl-5"
      onSubmit={(event) => {
        event.preventDefault();
        save.mutate();
      }}
    >
      <SecretFields
        kind={kind}
        secret={secret}
        onChange={(part) => setSecret((before) => ({ ...before, ...part }))}
        wrong={faults.wrong}
      />
      {save.error && !faults.any && <Failure error={save.error} />}
      <div className="flex gap-2">
        <Button type="submit" small busy={save.isPending}>
          {t('common.save')}
        </Button>
        <Button small look="quiet" onClick={onDone}>
          {t('common.cancel')}
        </Button>
      </div>
    </form>
  );
}
