/** Work ahead of the reader, in order: pictures decode on other threads while the model runs on this one. */

/** `work` on every item, at most `ahead` at once, results in the order of the items. Work under way is finished on an early end. */
export async function* mapAhead<Item, Result>(
  items: Iterable<Item> | AsyncIterable<Item>,
  ahead: number,
  work: (item: Item) => Promise<Result>,
): AsyncGenerator<Result> {
  const pending: Promise<Result>[] = [];
  try {
    for await (const item of items) {
      const started = work(item);
      // A failure is seen when its turn comes; until then it must not count as unhandled.
      started.catch(() => undefined);
      pending.push(started);
      if (pending.length >= ahead) yield await (pending.shift() as Promise<Result>);
    }
    while (pending.length > 0) yield await (pending.shift() as Promise<Result>);
  } finally {
    await Promise.allSettled(pending);
  }
}
