/**
 * Inputs for a benchmark without data: from the signature of the model and a seed, the same in every process. Their values do
 * not matter to the time of dense operators; their shapes do, so what stands for a symbol is recorded with the results.
 */
import { elementCount } from '../graph/dtype.ts';
import type { Dim, ValueType } from '../graph/types.ts';
import type { Feeds, HostTensor, ValueInfo } from '../lib/engine.ts';
import { Random } from '../lib/random.ts';
import { HoneError } from '../protocol/errors.ts';

/** What stands for a dimension that the model leaves open. */
const SEQUENCE = 64;
const IMAGE_SIDE = 224;
const PAST = 0;
/** Token ids stay below the vocabulary of any model. */
const TOKENS = 16;
/** 4 GiB of float32: more is a mistake in a shape. */
const MOST_ELEMENTS = 2 ** 30;

/**
 * Seeded feeds for every input. `batch` null: a fixed first dimension stays, an open one is 1.
 * Throws `data-mismatch` when the model's batch is fixed at another size, or an input cannot be made.
 */
export function seededFeeds(inputs: readonly ValueInfo[], batch: number | null, seed: number): Feeds {
  const random = new Random(seed);
  const symbols = new Map<string, number>();
  return Object.fromEntries(
    inputs.map(({ name, type }) => {
      const shape = inputShape(name, type, batch, symbols);
      return [name, fill(name, type, shape, random)];
    }),
  );
}

/** The batch that feeds have: the first dimension of the first input that has one. */
export function batchOf(feeds: Feeds): number {
  return Object.values(feeds).find(({ shape }) => shape.length > 0)?.shape[0] ?? 1;
}

/** Throws `data-mismatch`, naming the input and its shape, where the batch of the model is fixed at another size. */
export function checkBatch(inputs: readonly ValueInfo[], batch: number): void {
  for (const { name, type } of inputs) {
    if (type.kind !== 'tensor' || type.shape === null || type.shape.length < 2) continue;
    const [first] = type.shape;
    if (typeof first !== 'number' || first === batch) continue;
    const shape = type.shape.map((dim) => dim ?? '?').join(', ');
    throw mismatch(name, `[${shape}] has a batch that is fixed at ${first}, so it cannot be run with ${batch}`);
  }
}

function inputShape(name: string, type: ValueType, batch: number | null, symbols: Map<string, number>): number[] {
  if (type.kind !== 'tensor' || type.shape === null) {
    throw mismatch(name, 'is no tensor of known rank, so a benchmark needs data for it');
  }
  const dims = type.shape;
  if (batch !== null) checkBatch([{ name, type }], batch);
  const image = dims.length === 4 && [1, 3, 4].includes(Number(dims[1])) ? 2 : dims.length;
  const shape = dims.map((dim, axis) => {
    if (typeof dim === 'number') {
      return dim;
    }
    return openDim(dim, axis, batch ?? 1, axis >= image ? IMAGE_SIDE : SEQUENCE, symbols);
  });
  if (elementCount(shape) > MOST_ELEMENTS) throw mismatch(name, `would have the shape [${shape.join(', ')}]`);
  return shape;
}

/** One symbol has one size in all inputs; a sum such as `past_sequence_length + 1` has that of its parts. */
function openDim(dim: Dim, axis: number, batch: number, usual: number, symbols: Map<string, number>): number {
  const size = (symbol: string): number => {
    if (/^\d+$/.test(symbol)) return Number(symbol);
    const known = symbols.get(symbol);
    if (known !== undefined) return known;
    const made = /batch/i.test(symbol) || axis === 0 ? batch : /past|cache/i.test(symbol) ? PAST : usual;
    symbols.set(symbol, made);
    return made;
  };
  if (typeof dim !== 'string') return axis === 0 ? batch : usual;
  return dim
    .split('+')
    .map((part) => size(part.trim()))
    .reduce((sum, part) => sum + part, 0);
}

function fill(name: string, type: ValueType, shape: readonly number[], random: Random): HostTensor {
  const count = elementCount(shape);
  const dtype = type.kind === 'tensor' ? type.dtype : null;
  switch (dtype) {
    case 'float32':
      return { dtype, shape, data: Float32Array.from({ length: count }, () => random.normal()) };
    case 'float64':
      return { dtype, shape, data: Float64Array.from({ length: count }, () => random.normal()) };
    case 'float16':
      // Bits of ±1 to ±2 with random fractions: normal numbers of either sign, so no slow denormals.
      return {
        dtype,
        shape,
        data: Uint16Array.from({ length: count }, () => 0x3c00 | (random.uint32() & 0x83ff)),
      };
    case 'uint8':
      return { dtype, shape, data: Uint8Array.from({ length: count }, () => random.below(256)) };
    case 'int8':
      return { dtype, shape, data: Int8Array.from({ length: count }, () => random.below(256) - 128) };
    case 'bool':
      return { dtype, shape, data: new Uint8Array(count).fill(1) };
    case 'int64':
      return { dtype, shape, data: BigInt64Array.from(integers(name, shape, random), BigInt) };
    case 'uint64':
      return { dtype, shape, data: BigUint64Array.from(integers(name, shape, random), BigInt) };
    case 'int32':
      return { dtype, shape, data: Int32Array.from(integers(name, shape, random)) };
    case 'uint32':
      return { dtype, shape, data: Uint32Array.from(integers(name, shape, random)) };
    case 'int16':
      return { dtype, shape, data: Int16Array.from(integers(name, shape, random)) };
    case 'uint16':
      return { dtype, shape, data: Uint16Array.from(integers(name, shape, random)) };
    case 'string':
      return { dtype, shape, data: new Array<string>(count).fill('hone') };
    default:
      throw mismatch(name, `has the type ${dtype ?? 'unknown'}, which cannot be fed`);
  }
}

/** Masks are all ones, segments all zeros, positions count up, all else is token ids. */
function integers(name: string, shape: readonly number[], random: Random): number[] {
  const count = elementCount(shape);
  const last = shape.at(-1) ?? 1;
  return Array.from({ length: count }, (_, index) => {
    if (/mask/i.test(name)) return 1;
    if (/segment|token_type/i.test(name)) return 0;
    if (/position/i.test(name)) return index % last;
    return random.below(TOKENS);
  });
}

function mismatch(name: string, what: string): HoneError {
  return new HoneError('data-mismatch', `Input '${name}' ${what}.`, { where: { tensor: name } });
}
