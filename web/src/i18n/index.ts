import { useSyncExternalStore } from 'react';
import { de } from './de.ts';
import { type Dictionary, en, type Key } from './en.ts';

export type { Key } from './en.ts';
export type Language = 'en' | 'de';
export type Values = Record<string, string | number>;

const KEY = 'cc.language';
const dictionaries: Record<Language, Dictionary> = { en, de };
const listeners = new Set<() => void>();

/** The names of plural texts, without their ending. */
type Counted = { [K in Key]: K extends `${infer Stem}_other` ? Stem : never }[Key];

export function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? String(values[name]) : whole));
}

/** Texts, numbers and times in one language. */
export function localised(language: Language) {
  const dictionary = dictionaries[language];
  const number = new Intl.NumberFormat(language);
  const plural = new Intl.PluralRules(language);
  const relative = new Intl.RelativeTimeFormat(language, { numeric: 'auto' });
  // Dates in the way of the reader's country: 8:06 PM in one English is 20:06 in another.
  const region =
    typeof navigator === 'undefined' ? undefined : navigator.languages.find((one) => one.startsWith(language));
  const moment = new Intl.DateTimeFormat(region ?? language, { dateStyle: 'medium', timeStyle: 'short' });
  const day = new Intl.DateTimeFormat(region ?? language, { dateStyle: 'full' });
  const short = new Intl.NumberFormat(language, { maximumFractionDigits: 1 });

  const t = (key: Key, values: Values = {}): string => fill(dictionary[key], values);
  return {
    language,
    t,
    /** A text that may not exist, such as that of a state which this version does not know. */
    maybe: (key: string): string | undefined => (dictionary as Record<string, string>)[key],
    n: (value: number): string => number.format(value),
    count: (stem: Counted, value: number): string => {
      const ending = plural.select(value) === 'one' ? 'one' : 'other';
      return t(`${stem}_${ending}` as Key, { n: number.format(value) });
    },
    ago: (at: string, now: number): string => {
      const seconds = (new Date(at).getTime() - now) / 1000;
      const [unit, size] = (
        [
          ['day', 86_400],
          ['hour', 3_600],
          ['minute', 60],
        ] as const
      ).find(([, size]) => Math.abs(seconds) >= size) ?? ['second', 1];
      if (unit === 'day' && Math.abs(seconds) > 30 * 86_400) return moment.format(new Date(at));
      return relative.format(Math.round(seconds / size), unit);
    },
    moment: (at: string): string => moment.format(new Date(at)),
    day: (at: Date): string => day.format(at),
    duration: (seconds: number): string => {
      if (seconds < 60) return `${short.format(seconds)} s`;
      if (seconds < 3_600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
      return `${Math.floor(seconds / 3_600)} h ${Math.round((seconds % 3_600) / 60)} min`;
    },
    bytes: (value: number): string => {
      const step = value < 1024 ? 0 : Math.min(3, Math.floor(Math.log2(value) / 10));
      return `${short.format(value / 1024 ** step)} ${['B', 'KiB', 'MiB', 'GiB'][step]}`;
    },
  };
}

export type Localised = ReturnType<typeof localised>;

const all: Record<Language, Localised> = { en: localised('en'), de: localised('de') };

function stored(): Language {
  const chosen = localStorage.getItem(KEY) ?? navigator.language;
  return chosen.startsWith('de') ? 'de' : 'en';
}

export function setLanguage(language: Language): void {
  localStorage.setItem(KEY, language);
  document.documentElement.lang = language;
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useI18n(): Localised {
  return all[useSyncExternalStore(subscribe, stored, () => 'en' as const)];
}
