import type { ReactNode } from 'react';
import { useI18n } from '../i18n/index.ts';

type Tone = 'plain' | 'good' | 'bad' | 'warn' | 'busy';

const TONES: Record<Tone, string> = {
  plain: 'text-soft bg-sunk',
  good: 'text-accent bg-accent-ground',
  bad: 'text-danger bg-danger-ground',
  warn: 'text-warning bg-warning-ground',
  busy: 'text-soft bg-mark',
};

export function Badge({ tone = 'plain', children }: { tone?: Tone; children: ReactNode }) {
  return (
    <span
      className={`inline-flex items-center rounded-sm px-2 py-0.5 text-2xs font-semibold whitespace-nowrap ${TONES[tone]}`}
    >
      {children}
    </span>
  );
}

function toneOf(state: string): Tone {
  if (['completed', 'published', 'done'].includes(state)) return 'good';
  if (state === 'failed') return 'bad';
  if (state === 'completed_with_errors') return 'warn';
  if (['cancelled', 'superseded', 'queued', 'pending', 'requested', 'waiting'].includes(state)) return 'plain';
  return 'busy';
}

/** The state of a run, a document, a page or a task. */
export function StateBadge({ state }: { state: string }) {
  const { maybe } = useI18n();
  return <Badge tone={toneOf(state)}>{maybe(`state.${state}`) ?? state}</Badge>;
}
