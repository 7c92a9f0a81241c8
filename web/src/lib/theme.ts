import { useSyncExternalStore } from 'react';

export type Theme = 'system' | 'light' | 'dark';

const KEY = 'cc.theme';
const listeners = new Set<() => void>();

function stored(): Theme {
  const value = localStorage.getItem(KEY);
  return value === 'light' || value === 'dark' ? value : 'system';
}

export function setTheme(theme: Theme): void {
  if (theme === 'system') {
    localStorage.removeItem(KEY);
    delete document.documentElement.dataset.theme;
  } else {
    localStorage.setItem(KEY, theme);
    document.documentElement.dataset.theme = theme;
  }
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useTheme(): Theme {
  return useSyncExternalStore(subscribe, stored);
}

const DARK = '(prefers-color-scheme: dark)';

function subscribeLook(listener: () => void): () => void {
  const system = window.matchMedia(DARK);
  system.addEventListener('change', listener);
  const end = subscribe(listener);
  return () => {
    system.removeEventListener('change', listener);
    end();
  };
}

/** What is seen now, whoever has chosen it: for pictures that are drawn elsewhere. */
export function useLook(): 'light' | 'dark' {
  return useSyncExternalStore(
    subscribeLook,
    () => {
      const chosen = stored();
      if (chosen !== 'system') return chosen;
      return window.matchMedia(DARK).matches ? 'dark' : 'light';
    },
    () => 'light' as const,
  );
}
