import { useSyncExternalStore } from 'react';
import { localised } from '../i18n/index.ts';
import { explain } from '../lib/problem.ts';

interface Note {
  id: number;
  text: string;
  bad: boolean;
}

let notes: Note[] = [];
let last = 0;
const listeners = new Set<() => void>();

function change(next: Note[]): void {
  notes = next;
  for (const listener of listeners) listener();
}

export function notify(text: string, bad = false): void {
  last += 1;
  const id = last;
  change([...notes.slice(-2), { id, text, bad }]);
  setTimeout(() => change(notes.filter((note) => note.id !== id)), bad ? 10_000 : 5_000);
}

/** For mutations whose place on the page is gone or too small for a problem. */
export function notifyProblem(error: unknown): void {
  const language = document.documentElement.lang.startsWith('de') ? 'de' : 'en';
  const { title, detail } = explain(error, localised(language));
  notify([title, detail].filter(Boolean).join(' '), true);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function Toasts() {
  const shown = useSyncExternalStore(subscribe, () => notes);
  return (
    <div
      aria-live="polite"
      data-notices
      className="pointer-events-none fixed inset-x-4 bottom-20 z-50 flex flex-col items-center gap-2 sm:bottom-6"
    >
      {shown.map((note) => (
        <p
          key={note.id}
          className={`rounded-md border px-4 py-2 shadow-lift ${note.bad ? 'border-danger bg-danger-ground text-danger' : 'border-rule bg-sheet text-ink'}`}
        >
          {note.text}
        </p>
      ))}
    </div>
  );
}
