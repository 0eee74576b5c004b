/**
 * Builds everything into `dist/`: the renderer, the report view, Electron's main and preload, the worker and the command line.
 * `node build.ts renderer report-view` builds some of it; `--watch` builds the renderer again at every change.
 */
import { globSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { basename, join } from 'node:path';
import { build, type InlineConfig, type Plugin } from 'vite';

const ROOT = import.meta.dirname;

/** Native addons, wasm engines that find their files beside them, and what `ws` only tries to load: not in a bundle. */
const EXTERNAL = [
  /^electron(\/|$)/,
  /^onnxruntime-/,
  /^sharp$/,
  /^@litertjs\//,
  /^(bufferutil|utf-8-validate)$/,
  /^node:/,
  ...builtinModules,
];

/** Says that the scripts of a folder are modules, wherever the folder is copied to. */
const moduleType: Plugin = {
  name: 'hone-module-type',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'package.json', source: '{ "type": "module" }\n' });
  },
};

/** Code for Node or Electron's main process: packages bundled, addons and builtins left outside. */
function nodeTarget(folder: string, entries: Record<string, string>, format: 'es' | 'cjs'): InlineConfig {
  return {
    configFile: false,
    root: ROOT,
    publicDir: false,
    plugins: format === 'es' ? [moduleType] : [],
    ssr: { noExternal: true, external: [] },
    build: {
      ssr: true,
      target: 'node24',
      outDir: join('dist', folder),
      emptyOutDir: format === 'es',
      minify: false,
      reportCompressedSize: false,
      rolldownOptions: {
        input: entries,
        external: EXTERNAL,
        output: {
          format,
          entryFileNames: format === 'es' ? '[name].js' : '[name].cjs',
          // Beside the entry: files are found from where code is.
          chunkFileNames: '[name]-[hash].js',
        },
      },
    },
  };
}

/** All that is started or loaded by its path; see `lib/program-files.ts`. */
function workerEntries(): Record<string, string> {
  const runtimes = globSync('native-workers/runtimes/*-artifact.ts', { cwd: ROOT });
  const paths = [
    'native-workers/worker/main.ts',
    'native-workers/bench/variant-process.ts',
    'native-workers/verify/artifact-process.ts',
    ...runtimes,
  ];
  return Object.fromEntries(paths.map((path) => [basename(path, '.ts'), path]));
}

/** One script and one style sheet for embedding in a report: no modules, no imports, everything inside. */
const reportView: InlineConfig = {
  configFile: false,
  root: ROOT,
  publicDir: false,
  define: { 'process.env.NODE_ENV': '"production"' },
  build: {
    target: 'es2022',
    outDir: 'dist/report-view',
    emptyOutDir: true,
    assetsInlineLimit: Number.MAX_SAFE_INTEGER,
    cssCodeSplit: false,
    reportCompressedSize: false,
    lib: {
      entry: 'renderer/report-view/standalone.tsx',
      name: 'honeReport',
      formats: ['iife'],
      fileName: () => 'report-view.js',
      cssFileName: 'report-view',
    },
  },
};

const renderer: InlineConfig = { root: join(ROOT, 'renderer'), configFile: join(ROOT, 'vite.config.ts') };

/**
 * The kernels as WebAssembly, each as text in a module of its own, so that a bundle takes it along. These modules are part of the
 * repository, and built only when asked for.
 */
async function buildKernels(): Promise<void> {
  const { main } = await import('assemblyscript/asc');
  for (const path of globSync('native-workers/kernels/assembly/*.ts', { cwd: ROOT })) {
    const name = basename(path, '.ts');
    let wasm = Buffer.alloc(0);
    const { error, stderr } = await main(
      [
        path,
        '--optimizeLevel',
        '3',
        '--runtime',
        'stub',
        '--enable',
        'simd',
        '--memoryBase',
        '0',
        '--initialMemory',
        '2',
        '--outFile',
        name,
      ],
      {
        writeFile(_, contents) {
          wasm = Buffer.from(contents);
        },
      },
    );
    if (error !== null) throw new Error(`${path}: ${stderr.toString()}`);
    const text = [
      `/** Compiled from assembly/${name}.ts by \`node build.ts kernels\`. */`,
      `export const ${name.toUpperCase().replaceAll('-', '_')} =`,
      `  '${wasm.toString('base64')}';`,
    ];
    writeFileSync(join(ROOT, 'native-workers', 'kernels', `${name}-wasm.ts`), `${text.join('\n')}\n`);
  }
}

/** In the order in which they are built; main and preload share a folder, and main empties it. */
const OUTPUTS: Record<string, readonly InlineConfig[]> = {
  renderer: [renderer],
  'report-view': [reportView],
  electron: [
    nodeTarget('electron', { main: 'electron/main.ts' }, 'es'),
    nodeTarget('electron', { preload: 'electron/preload.ts' }, 'cjs'),
  ],
  worker: [nodeTarget('worker', workerEntries(), 'es')],
  cli: [nodeTarget('cli', { main: 'native-workers/cli/main.ts' }, 'es')],
};

const asked = process.argv.slice(2).filter((name) => name !== '--watch');
const watch = process.argv.includes('--watch');
const unknown = asked.filter((name) => !(name in OUTPUTS) && name !== 'kernels');
if (unknown.length > 0) {
  process.stderr.write(
    `There is no output ${unknown.join(', ')}; there are ${[...Object.keys(OUTPUTS), 'kernels'].join(', ')}.\n`,
  );
  process.exit(2);
}
for (const name of asked.length > 0 ? asked : Object.keys(OUTPUTS)) {
  try {
    if (name === 'kernels') await buildKernels();
    for (const config of OUTPUTS[name] ?? []) {
      const watched = watch && name === 'renderer' ? { watch: {} } : {};
      await build({ logLevel: 'warn', ...config, build: { ...config.build, ...watched } });
    }
  } catch (thrown) {
    process.stderr.write(`${name} could not be built:\n${thrown instanceof Error ? thrown.message : String(thrown)}\n`);
    process.exit(1);
  }
  process.stderr.write(`built ${name}\n`);
}
