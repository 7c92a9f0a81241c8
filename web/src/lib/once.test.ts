import { expect, it } from 'vitest';
import { Intention } from './once.ts';

it('an intention keeps its key until it says something else or is done', () => {
  const intention = new Intention();
  const key = (request: unknown) => intention.header(request)['Idempotency-Key'];
  const first = key({ name: 'a' });
  expect(first).toMatch(/^[0-9a-f]{32}$/);
  expect(key({ name: 'a' })).toBe(first);
  const other = key({ name: 'b' });
  expect(other).not.toBe(first);
  expect(key({ name: 'b' })).toBe(other);
  intention.done();
  expect(key({ name: 'b' })).not.toBe(other);
});
