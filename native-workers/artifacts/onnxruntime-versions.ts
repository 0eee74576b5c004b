/**
 * The oldest ONNX Runtime that takes a model, by what the model is written in. Rows up to 1.20 are those of the table in
 * ONNX Runtime's documentation (docs/reference/compatibility.md); 1.21 took ONNX 1.17 in (pull request 21897). What is newer
 * than the table is known only to load in the version that was there to try it.
 */
import type { LoadRow } from '../protocol/package-facts.ts';

interface Release {
  readonly version: string;
  /** Highest of ONNX's own domain, of `ai.onnx.ml`, and of the file format. */
  readonly opset: number;
  readonly ml: number;
  readonly ir: number;
}

/** Oldest first; releases that changed nothing are left out. */
const RELEASES: readonly Release[] = [
  { version: '1.0', opset: 11, ml: 2, ir: 6 },
  { version: '1.3', opset: 12, ml: 2, ir: 7 },
  { version: '1.6', opset: 13, ml: 2, ir: 7 },
  { version: '1.8', opset: 14, ml: 2, ir: 7 },
  { version: '1.9', opset: 15, ml: 2, ir: 8 },
  { version: '1.11', opset: 16, ml: 2, ir: 8 },
  { version: '1.12', opset: 17, ml: 3, ir: 8 },
  { version: '1.14', opset: 18, ml: 3, ir: 8 },
  { version: '1.15', opset: 19, ml: 3, ir: 8 },
  { version: '1.16', opset: 19, ml: 3, ir: 9 },
  { version: '1.17', opset: 20, ml: 4, ir: 9 },
  { version: '1.18', opset: 21, ml: 4, ir: 10 },
  { version: '1.21', opset: 22, ml: 4, ir: 10 },
];

/** What a file in ORT format of version 6 needs; ONNX Runtime writes no other since. */
export const ORT_FORMAT_MINIMUM = '1.16';

export interface Written {
  readonly irVersion: number;
  readonly opsets: ReadonlyMap<string, number>;
}

/** `tried`: the version that the artifact was run on. The row names the part of the model that asks for the version. */
export function onnxRuntimeMinimum({ irVersion, opsets }: Written, tried: string): LoadRow {
  const needs = [
    { what: `opset ${opsets.get('') ?? 0}`, of: (release: Release) => release.opset >= (opsets.get('') ?? 0) },
    {
      what: `ai.onnx.ml ${opsets.get('ai.onnx.ml') ?? 0}`,
      of: (release: Release) => release.ml >= (opsets.get('ai.onnx.ml') ?? 0),
    },
    { what: `IR version ${irVersion}`, of: (release: Release) => release.ir >= irVersion },
  ];
  let best = { at: -1, what: '' };
  for (const { what, of } of needs) {
    const at = RELEASES.findIndex(of);
    if (at === -1) {
      return {
        where: 'ONNX Runtime',
        minimum: tried,
        why: `${what} is newer than is known of releases; it loads in ${tried}`,
      };
    }
    if (at > best.at) best = { at, what };
  }
  return { where: 'ONNX Runtime', minimum: RELEASES[best.at]?.version ?? tried, why: best.what };
}

/** Compares dotted versions by their numbers: negative when `a` is older. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a, b].map((version) => version.split('.').map((part) => Number.parseInt(part, 10) || 0));
  for (let index = 0; index < Math.max(left?.length ?? 0, right?.length ?? 0); index++) {
    const difference = (left?.[index] ?? 0) - (right?.[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
