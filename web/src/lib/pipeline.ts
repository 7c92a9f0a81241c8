import { isOver } from '../api/queries.ts';
import type { Run, RunEvent } from '../api/schema.ts';

const STAGES = ['clone', 'analyse', 'index', 'write'] as const;
type StageName = (typeof STAGES)[number];
type StageStatus = 'waiting' | 'running' | 'done' | 'failed' | 'cancelled' | 'unreached';

/** What a stage has said of itself since the page was opened. */
interface Progress {
  done: number;
  total?: number;
}
export type LiveProgress = Partial<Record<StageName, Progress>>;

export interface StageView {
  name: StageName;
  status: StageStatus;
  /** Between 0 and 1. */
  share: number;
  /** What was made so far, and what it is called. */
  count?: number;
  unit: 'files' | 'symbols' | 'chunks' | 'pages';
  failed: number;
  seconds?: number;
}

function isStage(name: string | undefined): name is StageName {
  return STAGES.some((stage) => stage === name);
}

/** Takes an event in. Progress may be lost or late, so a number never goes back. */
export function advance(live: LiveProgress, event: RunEvent): LiveProgress {
  if (event.event !== 'progress' || !isStage(event.stage)) return live;
  const known = live[event.stage];
  const done = Math.max(known?.done ?? 0, event.done ?? 0);
  return { ...live, [event.stage]: { done, total: event.total ?? known?.total } };
}

/** The four stages of a run, from its row and from what was heard of it since. */
export function strip(run: Run, live: LiveProgress = {}): StageView[] {
  const { clone, analyse, index, write } = run.stages ?? { clone: {}, analyse: {}, index: {}, write: {} };
  const documents = run.documents ?? [];
  const written = documents.length > 0 && documents.every((document) => isOver(document.state));
  const planned = clone.files !== undefined;
  const begun = {
    clone: run.state !== 'queued' && run.state !== 'pending',
    analyse: planned,
    index: planned,
    // A document fails with its run, whether or not anybody has begun with it.
    write:
      (run.state !== 'failed' && documents.some((document) => isOver(document.state))) ||
      documents.some((document) => document.state === 'writing' || (document.pages ?? 0) > 0),
  };
  const done = {
    clone: clone.seconds !== undefined,
    analyse: analyse.seconds !== undefined,
    index: index.seconds !== undefined,
    write: written && documents.some((document) => document.state.startsWith('completed')),
  };
  const facts = {
    clone: { count: clone.files, unit: 'files', failed: 0, seconds: clone.seconds },
    analyse: { count: analyse.symbols, unit: 'symbols', failed: analyse.failed_batches ?? 0, seconds: analyse.seconds },
    index: { count: index.chunks, unit: 'chunks', failed: index.failed_batches ?? 0, seconds: index.seconds },
    write: {
      count: write.pages ?? live.write?.done,
      unit: 'pages',
      failed: write.failed_pages ?? 0,
      seconds: written ? write.seconds : undefined,
    },
  } as const;
  return STAGES.map((name) => {
    const heard = live[name];
    const reached = begun[name] || heard !== undefined;
    const status = done[name] ? 'done' : (ended(run.state, reached) ?? (reached ? 'running' : 'waiting'));
    return { name, status, share: share(status, heard, clone.batches), ...facts[name] };
  });
}

/** What becomes of a stage that had not ended when its run did: what it never came to has not failed. */
function ended(state: string, reached: boolean): StageStatus | undefined {
  if (!isOver(state)) return undefined;
  if (!reached) return 'unreached';
  return state === 'cancelled' || state === 'superseded' ? 'cancelled' : 'failed';
}

function share(status: StageStatus, heard: Progress | undefined, batches: number | undefined): number {
  if (status === 'done') return 1;
  const total = heard?.total ?? batches;
  if (!heard || !total) return 0;
  // Full is only who has said so.
  return Math.min(heard.done / total, 0.98);
}
