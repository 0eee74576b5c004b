/**
 * Checks Core ML packages where there is no Core ML: the package is read back from the disk, its MIL is said in ONNX by tables of
 * its own, and ONNX Runtime runs that. It proves what was written, weights and layout included, but not Core ML itself. On a Mac
 * with Xcode its compiler looks at the package too, and what it says against it counts as an error.
 */
/// <reference lib="esnext.float16" />
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ArtifactSession, ArtifactSignature, SignatureValue, TargetRuntime } from '../artifacts/target.ts';
import { raise } from '../formats/coreml/raise.ts';
import { readPackage } from '../formats/coreml/read-package.ts';
import { onnxBytes, onnxSize, writeOnnx } from '../formats/onnx/write.ts';
import type { Feeds, HostTensor, Session } from '../lib/engine.ts';
import { openEngine } from './onnxruntime.ts';

const run = promisify(execFile);
const IN_MEMORY = 256 << 20;

export async function openRuntime(): Promise<TargetRuntime> {
  const engine = await openEngine();
  return {
    name: `MIL read back, on ${engine.name} ${engine.version}`,
    async open(path, signature, log): Promise<ArtifactSession> {
      if (process.platform === 'darwin') await compile(path, log);
      const model = raise(readPackage(path).main);
      // As it stands: rewriting moves the roundings of quantized programs, by up to 30 steps on a ResNet.
      const options = { threads: 1, optimization: 'disabled' } as const;
      if (onnxSize(model) <= IN_MEMORY) return session(await engine.open(onnxBytes(model), options), signature);
      const scratch = await mkdtemp(join(tmpdir(), 'coreml-'));
      const remove = (): Promise<void> => rm(scratch, { recursive: true, force: true });
      try {
        const file = join(scratch, 'model.onnx');
        await writeOnnx(model, file);
        return session(await engine.open(file, options), signature, remove);
      } catch (thrown) {
        await remove();
        throw thrown;
      }
    },
  };
}

function session(
  inner: Session,
  signature: ArtifactSignature,
  after: () => Promise<void> = async () => undefined,
): ArtifactSession {
  return {
    async run(feeds): Promise<Feeds> {
      const given: Feeds = {};
      for (const { source, name, dtype, shape, pixels } of signature.inputs) {
        const tensor = feeds[source];
        if (tensor === undefined) continue;
        const array = asArray(tensor, dtype, shape.length);
        given[name] = pixels === undefined ? array : asPixels(array, pixels);
      }
      const results = await inner.run(given);
      return Object.fromEntries(
        signature.outputs.flatMap(({ source, name }) => (results[name] === undefined ? [] : [[source, results[name]]])),
      );
    },
    async release(): Promise<void> {
      await inner.release();
      await after();
    },
  };
}

/** The input as an app would give it: float32 or int32, of at least one dimension. */
function asArray(tensor: HostTensor, dtype: string, rank: number): HostTensor {
  const shape = tensor.shape.length === 0 && rank === 1 ? [1] : tensor.shape;
  const { data } = tensor;
  if (tensor.dtype === dtype || !ArrayBuffer.isView(data)) return { ...tensor, shape };
  const numbers =
    tensor.dtype === 'float16'
      ? new Float16Array(data.buffer as ArrayBuffer, data.byteOffset, data.length)
      : Array.from(data as ArrayLike<number | bigint>, Number);
  return dtype === 'int32'
    ? { dtype: 'int32', shape, data: Int32Array.from(numbers) }
    : { dtype: 'float32', shape, data: Float32Array.from(numbers) };
}

/** What the model is given as pixels for what the source is given: the source's numbers are made inside. */
function asPixels(tensor: HostTensor, { scale, bias }: NonNullable<SignatureValue['pixels']>): HostTensor {
  const { data, shape } = tensor;
  if (!(data instanceof Float32Array)) return tensor;
  const [, channels = 1, ...sides] = shape;
  const inner = sides.reduce((product, side) => product * side, 1);
  const of = (numbers: readonly number[], channel: number, none: number): number =>
    numbers[numbers.length === 1 ? 0 : channel] ?? none;
  const pixels = data.map((value, index) => {
    const channel = Math.floor(index / inner) % channels;
    return (value - of(bias, channel, 0)) / of(scale, channel, 1);
  });
  return { dtype: 'float32', shape, data: pixels };
}

/** Xcode's compiler, where it is installed. */
async function compile(path: string, log: (line: string) => void): Promise<void> {
  const out = await mkdtemp(join(tmpdir(), 'coreml-compiled-'));
  try {
    await run('xcrun', ['coremlcompiler', 'compile', path, out]);
    log('coremlcompiler compiled the package');
  } catch (thrown) {
    const said = thrown instanceof Error && 'stderr' in thrown ? String(thrown.stderr) : String(thrown);
    const isMissing = /unable to find utility|invalid active developer path|ENOENT/.test(said);
    log(
      isMissing
        ? 'coremlcompiler is not installed: the package was not compiled'
        : `ERROR: coremlcompiler: ${said.trim()}`,
    );
  } finally {
    await rm(out, { recursive: true, force: true });
  }
}
