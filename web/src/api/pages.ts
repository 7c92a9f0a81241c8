/** A page of a list. */
interface Listed<T> {
  items: T[];
  next_cursor?: string | null;
}

/** All of a list, page after page: for choices, where what is missing cannot be chosen. */
export async function all<T>(read: (cursor: string | undefined) => Promise<Listed<T>>): Promise<T[]> {
  const items: T[] = [];
  let cursor: string | undefined;
  do {
    const page = await read(cursor);
    items.push(...page.items);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return items;
}
