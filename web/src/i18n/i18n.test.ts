import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { de } from './de.ts';
import { type Dictionary, en } from './en.ts';
import { localised } from './index.ts';

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort();
const root = join(import.meta.dirname, '..');
const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
  .filter(
    (name) =>
      /\.tsx?$/.test(name) && !name.includes('i18n') && !name.endsWith('.test.ts') && !name.endsWith('schema.ts'),
  )
  .map((name) => readFileSync(join(root, name), 'utf8'));

describe('the dictionaries', () => {
  it('have the same keys, none empty', () => {
    expect(Object.keys(de)).toEqual(Object.keys(en));
    for (const dictionary of [en, de] as Dictionary[]) {
      expect(Object.entries(dictionary).filter(([, text]) => text.trim() === '')).toEqual([]);
    }
  });

  it('fill in the same values', () => {
    for (const [key, text] of Object.entries(en)) expect(holes(de[key as keyof typeof en]), key).toEqual(holes(text));
  });

  it('have no text that nobody shows', () => {
    const all = sources.join('\n');
    // Keys that are put together: what comes before the value is in the code.
    const stems = [...all.matchAll(/`([a-z_.]+\.)\$\{/g)].map((match) => match[1] ?? '');
    const shown = (key: string) => {
      const plain = key.replace(/_(one|other)$/, '');
      return all.includes(`'${key}'`) || all.includes(`'${plain}'`) || stems.some((stem) => key.startsWith(stem));
    };
    expect(Object.keys(en).filter((key) => !shown(key))).toEqual([]);
  });
});

it('nothing is said in the code itself', () => {
  // Text between tags, or as a label: words of a language where a key should be.
  const said = /(?:>\s*[A-Z][a-z]+ [a-z]+[^<{]*<|(?:aria-label|placeholder|title)="[A-Za-z]+ )/;
  expect(sources.filter((source) => said.test(source)).map((source) => said.exec(source)?.[0])).toEqual([]);
});

describe('numbers and times', () => {
  const [english, german] = [localised('en'), localised('de')];
  it('are said in the language', () => {
    expect(english.count('unit.files', 1)).toBe('1 file');
    expect(english.count('unit.files', 1234)).toBe('1,234 files');
    expect(german.count('unit.files', 1234)).toBe('1.234 Dateien');
    expect(german.duration(1.25)).toBe('1,3 s');
    expect(english.duration(125)).toBe('2 min 5 s');
    expect(english.bytes(4_200_381)).toBe('4 MiB');
    expect(english.ago('2026-01-01T00:00:00Z', Date.parse('2026-01-01T02:00:00Z'))).toBe('2 hours ago');
    expect(german.ago('2026-01-01T00:00:00Z', Date.parse('2026-01-02T01:00:00Z'))).toBe('gestern');
  });
});
