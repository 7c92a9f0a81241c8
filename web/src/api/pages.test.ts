import { expect, it } from 'vitest';
import { all } from './pages.ts';

it('a list is read to its end, each page with the cursor of the one before', async () => {
  const pages = [{ items: [1, 2], next_cursor: 'b' }, { items: [], next_cursor: 'c' }, { items: [3] }];
  const asked: (string | undefined)[] = [];
  const found = await all(async (cursor) => {
    asked.push(cursor);
    const page = pages[asked.length - 1];
    if (!page) throw new Error('asked beyond the end');
    return page;
  });
  expect(found).toEqual([1, 2, 3]);
  expect(asked).toEqual([undefined, 'b', 'c']);
});

it('a page that is not answered is a failure, and no shorter list', async () => {
  const read = async (cursor: string | undefined) => {
    if (cursor) throw new Error('away');
    return { items: [1], next_cursor: 'b' };
  };
  await expect(all(read)).rejects.toThrow('away');
});
