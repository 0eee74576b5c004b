/** Where an artifact will load, from what its format asks for: the rows of "will it load there?". */
import type { LoadRow } from '../protocol/facts.ts';

/**
 * Core ML's specification version by the first systems that read it (Model.proto of Core ML): a package for an iOS loads on
 * the macOS, tvOS and watchOS of the same year.
 */
const APPLE: readonly {
  readonly specification: number;
  readonly iOS: number;
  readonly macOS: number;
  readonly watchOS: number;
}[] = [
  { specification: 6, iOS: 15, macOS: 12, watchOS: 8 },
  { specification: 7, iOS: 16, macOS: 13, watchOS: 9 },
  { specification: 8, iOS: 17, macOS: 14, watchOS: 10 },
  { specification: 9, iOS: 18, macOS: 15, watchOS: 11 },
  { specification: 10, iOS: 26, macOS: 26, watchOS: 26 },
];

/** Rows from `WrittenArtifact.requires`, with the systems that follow from an iOS version. */
export function loadsOf(requires: Readonly<Record<string, string>>): LoadRow[] {
  return Object.entries(requires).flatMap(([where, minimum]) => {
    const apple = where === 'iOS' ? APPLE.find(({ iOS }) => iOS === Number.parseInt(minimum, 10)) : undefined;
    if (apple !== undefined) {
      const why = `specification version ${apple.specification}`;
      return [
        { where: 'iOS and iPadOS', minimum: String(apple.iOS), why },
        { where: 'macOS', minimum: String(apple.macOS), why },
        { where: 'tvOS', minimum: String(apple.iOS), why },
        { where: 'watchOS', minimum: String(apple.watchOS), why },
      ];
    }
    const why =
      where === 'TensorFlow Lite' ? 'the newest version of an operator in the file' : 'the format of the file';
    return [{ where, minimum, why }];
  });
}
