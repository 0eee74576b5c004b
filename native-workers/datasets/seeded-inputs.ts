/**
 * Inputs for a model without data, from a seed. They show whether two models compute the same, not how good either is.
 *
 * Distributions: floats standard normal, which is what normalised pictures look like. Whole numbers by the name of the input:
 * masks are ones; token types zeros; positions count from 0; everything else is uniform, below the size of the table that it
 * is looked up in where the graph tells, else below 100 for ids, and over all 256 values for bytes. Truth values are true.
 * Dimensions without a number: 64 for lengths, 224 for heights and widths, 0 for what is called past, 1 for all else; equal
 * names get equal sizes, and sums of names (`past + sequence`) are added.
 */
import { DTYPES, type DType, elementCount } from '../graph/dtype.ts';
import type { Dim } from '../graph/types.ts';
import type { HostTensor } from '../lib/engine.ts';
import { Random } from '../lib/random.ts';
import { HoneError } from '../protocol/errors.ts';
import { makeDataset } from './batching.ts';
import type { Dataset } from './dataset.ts';
import { toDType } from './numbers.ts';
import { type InputTensor, inputTensor, type ModelSignature } from './signature.ts';

export interface SeededOptions {
  /** Sizes of named dimensions, in place of the defaults. */
  readonly dims?: Readonly<Record<string, number>>;
}

const USUAL_LENGTH = 64;
const USUAL_SIDE = 224;
const USUAL_IDS = 100;
/** Elements of one input: 1 GiB of float32. */
const MOST_ELEMENTS = 2 ** 28;

/**
 * `count` samples. Throws `data-mismatch` for inputs that nothing can be made for: text, unknown types and ranks; and
 * `tensor-too-large` for those whose declared shape no machine could feed.
 */
export function seededInputs(
  signature: ModelSignature,
  count: number,
  seed: number,
  options: SeededOptions = {},
): Dataset {
  const inputs = signature.inputs.map(inputTensor);
  const text = inputs.find(({ dtype }) => dtype === 'string');
  if (text !== undefined) {
    throw new HoneError('data-mismatch', `The input '${text.name}' takes text, which cannot be made up; give data.`, {
      where: { tensor: text.name },
    });
  }
  for (const input of inputs) checkSize(input, options.dims ?? {});
  const isBatchless = hasNoBatch(inputs);
  return makeDataset({
    name: `seed ${seed}`,
    kind: 'seeded',
    count,
    labelled: false,
    grouped: false,
    classes: null,
    preprocess: null,
    notes: [{ code: 'inputs-random', message: 'The inputs are random, made from a seed, and not like real ones.' }],
    batchless: isBatchless,
    known: (index) => ({ sample: nameOf(index), label: null }),
    async *rows(indexes) {
      const total = indexes?.length ?? count;
      for (let number = 0; number < total; number++) {
        const index = indexes?.[number] ?? number;
        // A stream of its own for every sample: which samples are taken does not change them.
        const random = new Random(seed * 1_000_003 + index);
        const feeds = Object.fromEntries(
          inputs.map((input) => {
            const whole = usualShape(input, options.dims);
            return [input.name, sampleOf(input, isBatchless ? whole : whole.slice(1), signature, random)];
          }),
        );
        yield { sample: nameOf(index), feeds, label: null, group: null };
      }
    },
    sha256: async () => '',
    close: async () => undefined,
  });
}

const nameOf = (index: number): string => `seeded ${index}`;

function checkSize(input: InputTensor, dims: Readonly<Record<string, number>>): void {
  const shape = usualShape(input, dims);
  if (elementCount(shape) <= MOST_ELEMENTS) return;
  throw new HoneError(
    'tensor-too-large',
    `The input '${input.name}' of shape [${shape.join(', ')}] is too large to be made up.`,
    { where: { tensor: input.name } },
  );
}

/** Whether the first dimensions of the inputs differ, so that they are not that of a batch: a state of layers beside a sequence. */
function hasNoBatch(inputs: readonly InputTensor[]): boolean {
  const firsts = inputs.map(({ shape: [first] }) =>
    typeof first === 'number' || first === undefined ? first : 'open',
  );
  return firsts.includes(undefined) || new Set(firsts).size > 1;
}

function sampleOf(input: InputTensor, shape: readonly number[], signature: ModelSignature, random: Random): HostTensor {
  const values = Float64Array.from({ length: elementCount(shape) }, (_, index) =>
    elementOf(input, index, shape, signature, random),
  );
  return { dtype: input.dtype, shape, data: toDType(values, input.dtype, `the input '${input.name}'`) };
}

/** Numbers for all dimensions of an input, the batch among them: what its samples are made with. */
export function usualShape(input: InputTensor, dims: Readonly<Record<string, number>> = {}): number[] {
  return input.shape.map((dim, axis) => dimOf(dim, axis, input, dims));
}

function dimOf(dim: Dim, axis: number, input: InputTensor, dims: Readonly<Record<string, number>>): number {
  if (typeof dim === 'number') return dim;
  const isPicture = input.shape.length === 4 && axis > 0 && DTYPES[input.dtype].kind === 'float';
  if (dim === null) return isPicture ? USUAL_SIDE : 1;
  const given = dims[dim];
  if (given !== undefined) return given;
  const parts = dim.split('+').map((part) => part.trim());
  if (parts.length > 1) {
    return parts.reduce((sum, part) => sum + (/^\d+$/.test(part) ? Number(part) : dimOf(part, axis, input, dims)), 0);
  }
  if (/past/i.test(dim)) return 0;
  if (/seq|len|time|tokens/i.test(dim)) return USUAL_LENGTH;
  if (isPicture || /height|width/i.test(dim)) return USUAL_SIDE;
  return 1;
}

function elementOf(
  { name, dtype }: InputTensor,
  index: number,
  shape: readonly number[],
  signature: ModelSignature,
  random: Random,
): number {
  if (DTYPES[dtype].kind === 'float') return random.normal();
  if (dtype === 'bool' || /mask/i.test(name)) return 1;
  const limit = signature.idLimits?.[name];
  if (/token_type|segment/i.test(name)) return 0;
  if (/position/i.test(name)) return Math.min(index % (shape.at(-1) ?? 1), (limit ?? Number.POSITIVE_INFINITY) - 1);
  if (dtype === 'uint8' || dtype === 'int8') return random.below(256) - (dtype === 'int8' ? 128 : 0);
  return random.below(Math.min(limit ?? USUAL_IDS, largestOf(dtype) + 1));
}

function largestOf(dtype: DType): number {
  const { bits, kind } = DTYPES[dtype];
  return 2 ** Math.min(53, kind === 'signed' ? bits - 1 : bits) - 1;
}
