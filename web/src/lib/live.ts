import { type QueryClient, useQueryClient } from '@tanstack/react-query';
import { useEffect, useState } from 'react';
import { path } from '../api/client.ts';
import { isOver } from '../api/queries.ts';
import type { Run, RunEvent } from '../api/schema.ts';
import { advance, type LiveProgress } from './pipeline.ts';

/**
 * Over HTTP/1.1 a browser has six connections per server, and an open stream holds one: more than this many streams
 * would leave none for anything else. Runs beyond it are asked for every few seconds instead.
 */
const MAX_STREAMS = 3;
let open = 0;

interface Live {
  progress: LiveProgress;
  /** Transitions in order. */
  events: RunEvent[];
  connected: boolean;
}

const NOTHING: Live = { progress: {}, events: [], connected: false };

/** What a run's events change besides the run. */
function refresh(client: QueryClient, run: Run, ended: boolean): void {
  client.invalidateQueries({ queryKey: ['run', run.id] });
  if (!ended) return;
  client.invalidateQueries({ queryKey: ['repositories'] });
  client.invalidateQueries({ queryKey: ['repository', run.repository_id] });
  client.invalidateQueries({ queryKey: ['document'] });
  client.invalidateQueries({ queryKey: ['runs'] });
}

/**
 * Follows a run's events while it is under way. `replay` also follows one that has ended, for its history. The browser
 * reconnects by itself and says which event it saw last.
 */
export function useLive(run: Run | undefined, replay = false): Live {
  const client = useQueryClient();
  const [live, setLive] = useState(NOTHING);
  const id = run?.id;
  const follow = run !== undefined && (replay || !isOver(run.state));
  // biome-ignore lint/correctness/useExhaustiveDependencies: a stream belongs to a run, not to the row as it was read last.
  useEffect(() => {
    if (!run || !follow) return;
    setLive(NOTHING);
    if (open >= MAX_STREAMS) {
      const timer = setInterval(() => refresh(client, run, false), 3_000);
      return () => clearInterval(timer);
    }
    open += 1;
    const source = new EventSource(path`/api/v1/runs/${run.id}/events`);
    source.onopen = () => setLive((before) => ({ ...before, connected: true }));
    source.onerror = () => setLive((before) => ({ ...before, connected: false }));
    source.addEventListener('progress', (message) => {
      const event = JSON.parse(message.data) as RunEvent;
      setLive((before) => ({ ...before, progress: advance(before.progress, event) }));
    });
    source.addEventListener('transition', (message) => {
      const event = JSON.parse(message.data) as RunEvent;
      setLive((before) =>
        before.events.some((known) => known.sequence === event.sequence)
          ? before
          : { ...before, events: [...before.events, event] },
      );
      if (!isOver(run.state)) refresh(client, run, false);
    });
    source.addEventListener('end', () => {
      source.close();
      setLive((before) => ({ ...before, connected: false }));
      if (!isOver(run.state)) refresh(client, run, true);
    });
    return () => {
      open -= 1;
      source.close();
    };
  }, [client, id, follow]);
  return live;
}
