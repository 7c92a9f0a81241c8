import { useInfiniteQuery, useMutation, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { webhooks } from '../api/queries.ts';
import type { AddWebhook, Webhook } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useOnce } from '../lib/once.ts';
import { Badge } from './Badge.tsx';
import { Button } from './Button.tsx';
import { Copy, Secret } from './Copy.tsx';
import { Ask } from './Dialog.tsx';
import { Field, inputClass } from './Field.tsx';
import { More } from './More.tsx';
import { Section } from './Page.tsx';
import { Loaded } from './State.tsx';
import { Ago } from './Time.tsx';
import { notifyProblem } from './Toast.tsx';

type Provider = AddWebhook['provider'];
const PROVIDERS: Record<Provider, string> = { github: 'GitHub', gitlab: 'GitLab', gitea: 'Gitea' };

export function Webhooks({ repository }: { repository: string }) {
  const { t } = useI18n();
  const client = useQueryClient();
  const list = useInfiniteQuery(webhooks(repository));
  const [provider, setProvider] = useState<Provider>('github');
  const [doomed, setDoomed] = useState<string>();
  const renew = () => client.invalidateQueries({ queryKey: ['repository', repository, 'webhooks'] });
  const add = useOnce({
    send: (header) => {
      const params = { path: { repository }, header: header({ repository, provider }) };
      return data(api.POST('/api/v1/repositories/{repository}/webhooks', { params, body: { provider } }));
    },
    onSuccess: renew,
    onError: notifyProblem,
  });
  const renewSecret = useOnce({
    send: (header, id: string) => {
      const params = { path: { repository, webhook: id }, header: header({ repository, renew: id }) };
      return data(api.POST('/api/v1/repositories/{repository}/webhooks/{webhook}/secret', { params }));
    },
    onSuccess: renew,
    onError: notifyProblem,
  });
  const secret = renewSecret.data?.secret ?? add.data?.secret;
  const remove = useMutation({
    mutationFn: (id: string) =>
      data(
        api.DELETE('/api/v1/repositories/{repository}/webhooks/{webhook}', {
          params: { path: { repository, webhook: id } },
        }),
      ),
    onSuccess: () => {
      add.reset();
      renewSecret.reset();
      return renew();
    },
    onError: notifyProblem,
    onSettled: () => setDoomed(undefined),
  });
  const addressOf = (hook: Webhook) => `${window.location.origin}${hook.url_path}`;
  return (
    <Section title={t('repository.webhooks')} lead={t('repository.webhooks_lead')}>
      <Loaded of={list}>
        {({ pages }) => (
          <>
            <ul>
              {pages
                .flatMap((page) => page.items)
                .map((hook) => (
                  <li
                    key={hook.webhook}
                    className="flex flex-wrap items-center gap-x-3 gap-y-2 border-b border-rule py-3 first:pt-0"
                  >
                    <span className="font-semibold">{PROVIDERS[hook.provider as Provider]}</span>
                    <code className="min-w-0 flex-1 basis-72 font-mono text-xs break-all max-sm:order-1 max-sm:basis-full">
                      {addressOf(hook)}
                    </code>
                    {hook.last_delivery_at && (
                      <span className="text-xs text-faint">
                        <Ago at={hook.last_delivery_at} /> {hook.last_status && <Badge>{hook.last_status}</Badge>}
                      </span>
                    )}
                    <span className="flex flex-wrap gap-2 max-sm:order-2 max-sm:basis-full">
                      <Copy text={addressOf(hook)} />
                      <Button small busy={renewSecret.isPending} onClick={() => renewSecret.mutate(hook.webhook)}>
                        {t('repository.webhook_renew')}
                      </Button>
                      <Button small look="danger" onClick={() => setDoomed(hook.webhook)}>
                        {t('common.delete')}
                      </Button>
                    </span>
                  </li>
                ))}
            </ul>
            <More of={list} />
          </>
        )}
      </Loaded>
      {secret && (
        <div className="my-4">
          <Secret
            text={secret}
            note={t(renewSecret.data ? 'repository.webhook_renewed' : 'repository.webhook_secret')}
          />
        </div>
      )}
      <div className="mt-4 flex items-end gap-3">
        <Field label={t('repository.webhook_provider')}>
          {(field) => (
            <select
              {...field}
              value={provider}
              onChange={(e) => setProvider(e.target.value as Provider)}
              className={inputClass}
            >
              {Object.entries(PROVIDERS).map(([value, label]) => (
                <option key={value} value={value}>
                  {label}
                </option>
              ))}
            </select>
          )}
        </Field>
        <Button
          busy={add.isPending}
          onClick={() => {
            renewSecret.reset();
            add.mutate();
          }}
        >
          {t('repository.webhook_add')}
        </Button>
      </div>
      {doomed && (
        <Ask
          question={t('repository.webhook_delete_ask')}
          action={t('common.delete')}
          busy={remove.isPending}
          onYes={() => remove.mutate(doomed)}
          onClose={() => setDoomed(undefined)}
        />
      )}
    </Section>
  );
}
