import { useInfiniteQuery, useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';
import { useState } from 'react';
import { api, data } from '../api/client.ts';
import { deadLetter, deadLetters } from '../api/queries.ts';
import type { DeadLetter } from '../api/schema.ts';
import { useI18n } from '../i18n/index.ts';
import { useRights } from '../lib/me.ts';
import { Badge } from '../ui/Badge.tsx';
import { Button } from '../ui/Button.tsx';
import { Ask } from '../ui/Dialog.tsx';
import { More } from '../ui/More.tsx';
import { Page } from '../ui/Page.tsx';
import { Empty, Loaded } from '../ui/State.tsx';
import { Ago } from '../ui/Time.tsx';
import { notify, notifyProblem } from '../ui/Toast.tsx';

export default function DeadLetters() {
  const { t } = useI18n();
  const list = useInfiniteQuery(deadLetters);
  return (
    <Page title={t('dead.title')} lead={t('dead.lead')}>
      <Loaded of={list}>
        {({ pages }) => {
          const items = pages.flatMap((page) => page.items);
          if (items.length === 0) {
            return (
              <Empty title={t('dead.empty')}>
                <p>{t('dead.empty_text')}</p>
              </Empty>
            );
          }
          return (
            <>
              <ul className="border-b border-rule">
                {items.map((one) => (
                  <Row key={one.dead_letter} letter={one} />
                ))}
              </ul>
              <More of={list} />
            </>
          );
        }}
      </Loaded>
    </Page>
  );
}

function Row({ letter }: { letter: DeadLetter }) {
  const { t, count, bytes } = useI18n();
  const { administer } = useRights();
  const client = useQueryClient();
  const [open, setOpen] = useState(false);
  const [asking, setAsking] = useState(false);
  // Another service settles it: mostly a moment later, and else the list finds out when it renews itself.
  const renew = () => {
    setTimeout(() => client.invalidateQueries({ queryKey: ['dead-letters'] }), 1_500);
  };
  const redeliver = useMutation({
    mutationFn: () =>
      data(
        api.POST('/api/v1/admin/dead-letters/{letter}/redeliver', { params: { path: { letter: letter.dead_letter } } }),
      ),
    onSuccess: () => {
      notify(t('dead.redelivered'));
      renew();
    },
    onError: notifyProblem,
  });
  const drop = useMutation({
    mutationFn: () =>
      data(api.DELETE('/api/v1/admin/dead-letters/{letter}', { params: { path: { letter: letter.dead_letter } } })),
    onSuccess: renew,
    onError: notifyProblem,
    onSettled: () => setAsking(false),
  });
  // It is still listed for a moment, and must not be sent twice.
  const settled = redeliver.isSuccess || drop.isSuccess;
  return (
    <li className="border-t border-rule py-4">
      <div className="flex flex-wrap items-baseline gap-x-3 gap-y-1">
        <span className="font-display text-lg">{letter.stage}</span>
        <Badge tone="bad">{letter.code}</Badge>
        <span className="text-xs text-faint">
          <Ago at={letter.died_at} /> · {count('unit.attempts', letter.attempts)} · {bytes(letter.bytes)}
          {letter.run && (
            <>
              {' · '}
              <Link to="/runs/$run" params={{ run: letter.run }} className="link">
                {t('dead.run')}
              </Link>
            </>
          )}
        </span>
      </div>
      <p lang="en" className="mt-1 max-w-3xl">
        {letter.reason}
      </p>
      <div className="mt-3 flex flex-wrap gap-2">
        <Button small aria-expanded={open} onClick={() => setOpen(!open)}>
          {t('dead.show')}
        </Button>
        {administer && (
          <>
            <Button small busy={redeliver.isPending} disabled={settled} onClick={() => redeliver.mutate()}>
              {t('dead.redeliver')}
            </Button>
            <Button small look="danger" disabled={settled} onClick={() => setAsking(true)}>
              {t('dead.drop')}
            </Button>
          </>
        )}
      </div>
      {open && <Message id={letter.dead_letter} />}
      {asking && (
        <Ask
          question={t('dead.drop_ask')}
          action={t('dead.drop')}
          busy={drop.isPending}
          onYes={() => drop.mutate()}
          onClose={() => setAsking(false)}
        />
      )}
    </li>
  );
}

function Message({ id }: { id: number }) {
  const { t } = useI18n();
  const found = useQuery(deadLetter(id));
  const block = (label: string, value: unknown) => (
    <div className="mt-3">
      <p className="text-xs font-semibold text-soft">{label}</p>
      <pre tabIndex={0} className="max-h-80 overflow-auto rounded-md border border-rule bg-sheet p-3 font-mono text-xs">
        {JSON.stringify(value, null, 2)}
      </pre>
    </div>
  );
  return (
    <Loaded of={found}>
      {(message) => (
        <>
          {message.headers && block(t('dead.headers'), message.headers)}
          {message.body !== undefined && message.body !== null && block(t('dead.body'), message.body)}
        </>
      )}
    </Loaded>
  );
}
