import { expect, it } from 'vitest';
import { bestStart } from './excerpt.ts';

const LINES = [
  '//! Keeps curves.',
  '',
  'pub mod curve;',
  '',
  '/// Waits after each failed attempt.',
  'pub fn retry_delay() {',
  '}',
  '',
];

it('shows the lines that answer', () => {
  const check = (question: string, symbol: string | undefined, expected: number, size = 3) =>
    expect(bestStart(LINES, question, symbol, size), `${question} ${symbol}`).toBe(expected);
  check('how long to wait after failed attempts', undefined, 2);
  check('keeps the curve', undefined, 0);
  check('nothing of it', 'roast::retry_delay', 4);
  check('what is this', undefined, 0);
  check('attempt', undefined, 0, 20);
});
