/** A folder or zip of `.wav` files, in class folders or not, for a model that takes the waveform. */
import { basename } from 'node:path';
import type { HostTensor } from '../lib/engine.ts';
import { HoneError } from '../protocol/errors.ts';
import type { Preprocess } from '../protocol/request.ts';
import { type ClassList, orderClasses } from './classes.ts';
import type { DatasetNote, SampleSource } from './dataset.ts';
import type { FileTree, TreeFile } from './file-tree.ts';
import { folderClasses } from './folder-classes.ts';
import { toDType } from './numbers.ts';
import { classCountOf, type InputTensor, inputTensor, type ModelSignature } from './signature.ts';
import { parseWave, resample } from './wav.ts';

export const AUDIO_FILES = /\.wav$/i;

const MOST_WAVE_BYTES = 1024 * 2 ** 20;

/**
 * Waveforms go to the only input of the model, `[N, samples]` with 1 anywhere else in the shape; a fixed length cuts the end
 * off or fills it with silence. Throws `data-mismatch` for a model that takes features, such as a spectrogram.
 */
export async function openAudio(
  path: string,
  tree: FileTree,
  signature: ModelSignature,
  preprocess: Preprocess,
  classList: ClassList | null,
): Promise<SampleSource> {
  const input = waveInput(signature);
  const lengthAxis = input.shape.findIndex((dim, axis) => axis > 0 && dim !== 1);
  const length = input.shape[lengthAxis];
  const files = tree.files.filter((file) => AUDIO_FILES.test(file.path));
  const notes: DatasetNote[] = [];
  const { sampleRate } = preprocess;
  if (sampleRate === undefined) {
    notes.push({
      code: 'sample-rate-unknown',
      message: 'No sampleRate is given: sounds are fed at the rate of their files.',
    });
  }
  const { classOf } = folderClasses(files.map((file) => file.path));
  const order =
    classOf === null
      ? null
      : orderClasses(
          files.map((file) => classOf(file.path)),
          classList,
          classCountOf(signature),
        );
  if (order !== null) notes.push(...order.notes);
  const labelOf = (file: TreeFile): number | null =>
    order === null || classOf === null ? null : (order.indexOf.get(classOf(file.path)) ?? null);

  const load = async (file: TreeFile): Promise<HostTensor> => {
    const wave = parseWave(await tree.read(file, MOST_WAVE_BYTES), file.path);
    const samples = sampleRate === undefined ? wave.samples : resample(wave, sampleRate);
    const fitted = typeof length === 'number' ? cutOrFill(samples, length) : samples;
    const shape = input.shape.slice(1).map((_, axis) => (axis + 1 === lengthAxis ? fitted.length : 1));
    return { dtype: input.dtype, shape, data: toDType(fitted, input.dtype, 'the sound') };
  };

  return {
    name: basename(path),
    kind: 'wav',
    count: files.length,
    labelled: order !== null,
    grouped: false,
    classes: order?.classes ?? null,
    classesAssumed: order?.assumed ?? false,
    preprocess: sampleRate === undefined ? null : { sampleRate },
    notes,
    known: (index) => {
      const file = files[index] as TreeFile;
      return { sample: file.path, label: labelOf(file) };
    },
    async *rows(indexes, skip) {
      for (const file of indexes?.map((index) => files[index] as TreeFile) ?? files) {
        const loaded = await load(file).catch((thrown: unknown) => {
          skip({ sample: file.path, reason: thrown instanceof Error ? thrown.message : String(thrown) });
          return null;
        });
        if (loaded === null) continue;
        yield { sample: file.path, feeds: { [input.name]: loaded }, label: labelOf(file), group: null };
      }
    },
    sha256: () => tree.sha256(),
    close: () => tree.close(),
  };
}

function waveInput(signature: ModelSignature): InputTensor {
  const [first, ...others] = signature.inputs;
  const input = first === undefined ? null : inputTensor(first);
  const long = input?.shape.slice(1).filter((dim) => dim !== 1) ?? [];
  if (input === null || others.length > 0 || long.length !== 1 || !input.dtype.includes('float')) {
    const shapes = signature.inputs.map(({ name }) => `'${name}'`).join(', ');
    throw new HoneError(
      'data-mismatch',
      `Sounds are fed as waveforms to one float input [N, samples]; the model takes ${shapes} of another form. Give an .npz with its features.`,
    );
  }
  return input;
}

function cutOrFill(samples: Float32Array, length: number): Float32Array {
  if (samples.length >= length) return samples.subarray(0, length);
  const filled = new Float32Array(length);
  filled.set(samples);
  return filled;
}
