/** Where an artifact will load, from what its format asks for: the rows of "will it load there?". */
import type { LoadRow } from '../protocol/package-facts.ts';

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

/**
 * The oldest systems that the packages of a runtime are built for, which come on top of what the file asks of the runtime. Android
 * of LiteRT: the table of its documentation for Android; iOS: the podspec of TensorFlowLiteSwift 2.14. ONNX Runtime: its
 * `default_full_aar_build_settings.json` and `default_full_apple_framework_build_settings.json`, which newer releases raise.
 */
const LITERT_SYSTEMS: readonly LoadRow[] = [
  {
    where: 'Android',
    minimum: '6.0 (API 23)',
    why: 'CompiledModel of LiteRT 2.1; its Interpreter, LiteRT 1.4, runs on 5.0',
  },
  { where: 'iOS', minimum: '12', why: 'TensorFlowLiteSwift 2.14' },
];
export const ONNXRUNTIME_SYSTEMS: readonly LoadRow[] = [
  { where: 'Android', minimum: '5.0 (API 21)', why: 'how ONNX Runtime is built; a newer release may ask for more' },
  { where: 'iOS', minimum: '12', why: 'how ONNX Runtime is built; a newer release may ask for more' },
];

/** Rows from `WrittenArtifact.requires`, with the systems that follow from an iOS version or a runtime. */
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
    // The macOS of a known iOS is said already.
    if (where === 'macOS' && requires['iOS'] !== undefined) return [];
    if (where === 'TensorFlow Lite')
      return [{ where, minimum, why: 'the newest version of an operator in the file' }, ...LITERT_SYSTEMS];
    return [{ where, minimum, why: 'the format of the file' }];
  });
}
