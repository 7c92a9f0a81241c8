import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import type { Role, User } from '../api/narrow.ts';
import { me, users, userTag } from '../api/queries.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { Badge } from '../ui/Badge.tsx';
import { Button } from '../ui/Button.tsx';
import { Ask } from '../ui/Dialog.tsx';
import { inputClass } from '../ui/Field.tsx';
import { More } from '../ui/More.tsx';
import { Page } from '../ui/Page.tsx';
import { Loaded } from '../ui/State.tsx';
import { Ago } from '../ui/Time.tsx';
import { notify, notifyProblem } from '../ui/Toast.tsx';

const ROLES: Role[] = ['viewer', 'author', 'maintainer', 'admin', 'auditor'];

export default function Users() {
  const { t } = useI18n();
  const list = useInfiniteQuery(users);
  return (
    <Page title={t('users.title')} lead={t('users.lead')}>
      <Loaded of={list}>
        {({ pages }) => (
          <>
            <div className="relative overflow-x-auto" tabIndex={0} role="group" aria-label={t('users.title')}>
              <table className="table cards">
                <thead>
                  <tr>
                    <th>{t('users.name')}</th>
                    <th>{t('users.role')}</th>
                    <th>{t('users.state')}</th>
                    <th>{t('users.seen')}</th>
                    <th>
                      <span className="sr-only">{t('common.details')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {pages
                    .flatMap((page) => page.items)
                    .map((one) => (
                      <Row key={one.user} user={one} />
                    ))}
                </tbody>
              </table>
            </div>
            <More of={list} />
          </>
        )}
      </Loaded>
    </Page>
  );
}

function Row({ user }: { user: User }) {
  const { t } = useI18n();
  const { administer } = useRights();
  const client = useQueryClient();
  const [asking, setAsking] = useState(false);
  const myself = useQuery(me).data?.user === user.user;
  const change = useMutation({
    mutationFn: async (part: { role?: Role; active?: boolean }) => {
      const tag = await userTag(user.user);
      const params = { path: { user: user.user }, header: { 'If-Match': tag } };
      return data(api.PATCH('/api/v1/users/{user}', { params, body: part }));
    },
    onSuccess: () => notify(t('users.saved')),
    onError: notifyProblem,
    onSettled: () => {
      setAsking(false);
      return client.invalidateQueries({ queryKey: ['users'] });
    },
  });
  return (
    <tr>
      <td>
        <span translate="no" className="font-semibold">
          {user.display_name}
        </span>
        {user.external_id && <p className="text-xs break-all text-faint">{user.external_id}</p>}
      </td>
      <td data-label={t('users.role')}>
        <span>
          {administer && user.role_source === 'local' && !myself ? (
            <select
              aria-label={t('users.role_of', { name: user.display_name })}
              value={user.role}
              disabled={change.isPending}
              onChange={(event) => change.mutate({ role: event.target.value as Role })}
              className={`${inputClass} w-auto! py-1!`}
            >
              {ROLES.map((role) => (
                <option key={role} value={role}>
                  {t(`role.${role}`)}
                </option>
              ))}
            </select>
          ) : (
            <>
              {t(`role.${user.role}`)}{' '}
              <span className="text-xs text-faint">{t(`users.source.${user.role_source}`)}</span>
            </>
          )}
        </span>
      </td>
      <td data-label={t('users.state')}>
        <span>
          <Badge tone={user.active ? 'good' : 'bad'}>{t(user.active ? 'users.active' : 'users.inactive')}</Badge>
        </span>
      </td>
      <td data-label={t('users.seen')} className="text-xs text-faint">
        {user.last_seen_at ? <Ago at={user.last_seen_at} /> : t('common.never')}
      </td>
      <td className="text-right max-sm:pt-2">
        {administer && !myself && (
          // Two buttons: a second click on the one must not undo what the first has done.
          <Button
            key={user.active ? 'lock' : 'unlock'}
            small
            look={user.active ? 'danger' : 'plain'}
            busy={change.isPending}
            onClick={() => (user.active ? setAsking(true) : change.mutate({ active: true }))}
          >
            {t(user.active ? 'users.lock' : 'users.unlock')}
          </Button>
        )}
        {asking && (
          <Ask
            question={t('users.lock_ask', { name: user.display_name })}
            action={t('users.lock')}
            busy={change.isPending}
            onYes={() => change.mutate({ active: false })}
            onClose={() => setAsking(false)}
          />
        )}
      </td>
    </tr>
  );
}
