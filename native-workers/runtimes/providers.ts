/** The execution providers that Hone knows, and whether each can be used on this machine, with the reason when not. */
import { HoneError, toHoneError } from '../protocol/errors.ts';
import { bundledProviders } from './onnxruntime.ts';

export interface ProviderStatus {
  readonly name: string;
  readonly available: boolean;
  /** Why not, in a sentence. */
  readonly reason?: string;
}

/** Runs `PROBE_MODEL` on a provider. Throws what a real model would. It must not run in this process: drivers crash. */
export type ProviderProbe = (provider: string) => Promise<void>;

/** Providers with the platforms that can have them; null is every platform. */
const PROVIDERS: Readonly<Record<string, readonly NodeJS.Platform[] | null>> = {
  cpu: null,
  wasm: null,
  webgpu: null,
  coreml: ['darwin'],
  dml: ['win32'],
  cuda: ['linux'],
  tensorrt: ['linux'],
};

export const PROVIDER_NAMES: readonly string[] = Object.keys(PROVIDERS);

/**
 * `y = x + x` on four floats, so that a provider has a kernel to run, as the bytes of an ONNX file (opset 13). Identity would
 * be optimised away.
 */
export const PROBE_MODEL: Uint8Array = Uint8Array.from(
  Buffer.from(
    '08073a390a0e0a01780a01781201792203416464120570726f62655a0f0a0178120a0a08080112040a02080462' +
      '0f0a0179120a0a08080112040a0208044202100d',
    'hex',
  ),
);

export async function listProviders(probe: ProviderProbe): Promise<ProviderStatus[]> {
  const bundled = new Map((await bundledProviders()).map((provider) => [provider.name, provider.bundled]));
  const rows: ProviderStatus[] = [];
  for (const [name, platforms] of Object.entries(PROVIDERS)) {
    const absent = absenceOf(name, platforms, bundled);
    if (absent !== null) {
      rows.push({ name, available: false, reason: absent });
      continue;
    }
    try {
      await probe(name);
      rows.push({ name, available: true });
    } catch (thrown) {
      const download = bundled.get(name) === false ? ` ${SEPARATE_DOWNLOAD}` : '';
      rows.push({ name, available: false, reason: `${sentence(toHoneError(thrown).message)}${download}` });
    }
  }
  return rows;
}

const SEPARATE_DOWNLOAD =
  'Its library is a separate download of ONNX Runtime; the README of the package onnxruntime-node says how to get it.';

/** Throws `provider-unavailable` for a name that Hone does not know. */
export function checkProviderName(name: string): void {
  if (!(name in PROVIDERS)) {
    throw new HoneError(
      'provider-unavailable',
      `There is no provider ${name}; there are ${PROVIDER_NAMES.join(', ')}.`,
    );
  }
}

function absenceOf(
  name: string,
  platforms: readonly NodeJS.Platform[] | null,
  bundled: ReadonlyMap<string, boolean>,
): string | null {
  if (platforms !== null && !platforms.includes(process.platform)) {
    return `It exists on ${platforms.join(' and ')} only, and this is ${process.platform}.`;
  }
  if (name === 'wasm') return null;
  if (!bundled.has(name)) return 'The ONNX Runtime package for this platform is built without it.';
  return null;
}

function sentence(text: string): string {
  return /[.!?]$/.test(text) ? text : `${text}.`;
}
