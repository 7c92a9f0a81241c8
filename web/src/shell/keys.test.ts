import { expect, it } from 'vitest';
import { keyReader, SEQUENCE_MS } from './keys.ts';

const press = (key: string, at = 0, more = {}) => ({
  key,
  at,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  writing: false,
  ...more,
});

it('single keys', () => {
  const read = keyReader();
  expect(read(press('k', 0, { ctrlKey: true, writing: true }))).toBe('palette');
  expect(read(press('k', 0, { metaKey: true }))).toBe('palette');
  expect(read(press('/'))).toBe('search');
  expect(read(press('?'))).toBe('help');
  expect(read(press(']'))).toBe('next');
  expect(read(press('/', 0, { writing: true }))).toBeUndefined();
  expect(read(press('r'))).toBeUndefined();
});

it('sequences have to be quick', () => {
  const read = keyReader();
  read(press('g', 100));
  expect(read(press('r', 200))).toBe('repositories');
  expect(read(press('r', 300))).toBeUndefined();
  read(press('g', 1_000));
  expect(read(press('r', 1_001 + SEQUENCE_MS))).toBeUndefined();
});
