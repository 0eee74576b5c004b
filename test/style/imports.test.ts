/** The import table of the design: who may import whom. A new arrow is a decision, made here. */
import { describe, expect, it } from 'vitest';
import { type SourceFile, sourceFiles } from '../helpers/sources.ts';

const WORKERS = 'native-workers/';

/** Layer -> layers it may import besides itself. A layer is a folder of `native-workers`, or `electron` or `renderer`. */
const MAY_IMPORT: Record<string, readonly string[]> = {
  protocol: [],
  lib: ['protocol', 'graph'],
  graph: ['protocol', 'lib'],
  kernels: ['lib'],
  formats: ['graph', 'protocol', 'lib', 'kernels'],
  passes: ['graph', 'lib', 'kernels', 'protocol', 'calibrate'],
  calibrate: ['graph', 'lib', 'kernels', 'protocol'],
  datasets: ['graph', 'protocol', 'lib'],
  metrics: ['graph', 'protocol', 'lib'],
  // Core ML runs on Apple's machines only; elsewhere its runtime is Hone's own reader and ONNX Runtime.
  runtimes: ['graph', 'protocol', 'lib', 'artifacts', 'formats'],
  artifacts: ['graph', 'protocol', 'lib', 'formats', 'metrics'],
  verify: ['graph', 'protocol', 'lib', 'metrics', 'datasets', 'formats', 'artifacts'],
  bench: ['graph', 'protocol', 'lib', 'datasets', 'runtimes'],
  report: ['protocol', 'lib', 'bench', 'metrics'],
  worker: [
    'artifacts',
    'protocol',
    'lib',
    'graph',
    'kernels',
    'formats',
    'passes',
    'calibrate',
    'datasets',
    'metrics',
    'runtimes',
    'verify',
    'bench',
    'report',
  ],
  host: ['protocol', 'lib', 'report', 'passes', 'bench', 'artifacts'],
  cli: ['protocol', 'lib', 'host', 'report', 'passes', 'bench', 'artifacts'],
  electron: ['protocol', 'lib', 'host'],
  renderer: ['protocol', 'report'],
};

/** Packages that only one layer may import: native addons and wasm engines, and Electron. */
const ONLY_IN: Record<string, readonly string[]> = {
  'onnxruntime-node': ['runtimes'],
  'onnxruntime-web': ['runtimes'],
  'onnxruntime-common': ['runtimes'],
  '@litertjs/core': ['runtimes'],
  electron: ['electron'],
  'electron/main': ['electron'],
  'electron/renderer': ['electron'],
  sharp: ['datasets'],
};

/** Modules of a layer with a heavy side that pure layers may import all the same, because they import nothing heavy. */
const PURE_IN: Record<string, readonly string[]> = {
  bench: ['native-workers/bench/statistics.ts', 'native-workers/bench/distribution.ts', 'native-workers/bench/plan.ts'],
  artifacts: ['native-workers/artifacts/targets.ts'],
};

function layerOf(path: string): string | null {
  if (path.startsWith(WORKERS)) return path.slice(WORKERS.length).split('/')[0] ?? null;
  if (path.startsWith('electron/')) return 'electron';
  if (path.startsWith('renderer/')) return 'renderer';
  return null;
}

const files = sourceFiles(['native-workers', 'electron', 'renderer']).filter(
  (file) => !file.path.includes('/assembly/'),
);

function violations(check: (file: SourceFile, layer: string) => string[]): string[] {
  return files.flatMap((file) => {
    const layer = layerOf(file.path);
    return layer === null ? [`${file.path} is in no layer`] : check(file, layer);
  });
}

describe('import table', () => {
  it('knows every folder of native-workers', () => {
    const unknown = files.map((file) => layerOf(file.path)).filter((layer) => layer === null || !(layer in MAY_IMPORT));
    expect([...new Set(unknown)]).toEqual([]);
  });

  it('is kept by every import of an own file', () => {
    expect(
      violations((file, layer) =>
        file.imports.flatMap(({ target }) => {
          const other = layerOf(target);
          if (other === null || other === layer || MAY_IMPORT[layer]?.includes(other)) return [];
          return [`${file.path} imports ${target}: ${layer} may not import ${other}`];
        }),
      ),
    ).toEqual([]);
  });

  it('lets renderer and hosts see report and bench only through their pure modules', () => {
    expect(
      violations((file, layer) =>
        file.imports.flatMap(({ target, typeOnly }) => {
          const other = layerOf(target) ?? '';
          const pure = PURE_IN[other];
          if (pure === undefined || other === layer || layer === 'worker' || typeOnly || pure.includes(target))
            return [];
          return [`${file.path} imports ${target}, which is not one of ${pure.join(', ')}`];
        }),
      ),
    ).toEqual([]);
  });

  it('keeps native addons, wasm engines and Electron in their own layer', () => {
    expect(
      violations((file, layer) =>
        file.imports.flatMap(({ target, typeOnly }) => {
          const allowed = ONLY_IN[target];
          return allowed === undefined || allowed.includes(layer) || typeOnly ? [] : [`${file.path} imports ${target}`];
        }),
      ),
    ).toEqual([]);
  });

  it('would notice a forbidden import', () => {
    const importsOf = sourceFiles(['test/style']).find((file) => file.path.endsWith('imports.test.ts'))?.imports;
    expect(importsOf?.map((entry) => entry.target)).toEqual(['vitest', 'test/helpers/sources.ts']);
  });
});
