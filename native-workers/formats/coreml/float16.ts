/**
 * Changes a program to compute in float16, by the rules of Core ML's own converter: casts at inputs and outputs, float
 * constants as float16, and operations whose constants do not fit stay in float32. Source: coremltools,
 * passes/defs/quantization.py (conversion.md section 2.6).
 */
/// <reference lib="esnext.float16" />
import { ConvertedData } from '../../graph/tensor-data.ts';
import { addHalfLosses, float32View, HALF_MAX, HALF_MIN, noHalfLosses } from '../../lib/half.ts';
import { bytesOf } from './constants.ts';
import type { Names } from './names.ts';
import {
  constantOf,
  isValue,
  type MilArgument,
  type MilConstant,
  type MilFunction,
  type MilOperation,
  MilValue,
  stringConstant,
} from './program.ts';

/** Larger magnitudes stand for infinity (masks of attention) and may become the largest float16. */
const AS_INFINITE = 1e38;
const CHUNK = 4 << 20;
const NEVER: ReadonlySet<string> = new Set(['cast', 'classify', 'shape', 'non_zero']);
/** Before iOS 17 these compute in float32 only. */
const RECURRENT: ReadonlySet<string> = new Set(['lstm', 'gru', 'rnn']);
/** From iOS 17 on these parameters may be float32 beside float16 operands, which keeps small epsilons. */
const KEPT: Readonly<Record<string, readonly string[]>> = {
  elu: ['alpha'],
  leaky_relu: ['alpha'],
  thresholded_relu: ['alpha'],
  sigmoid_hard: ['alpha', 'beta'],
  log: ['epsilon'],
  rsqrt: ['epsilon'],
};

/** Operands that stay float32 beside float16 ones: iOS 15 takes no others, and float16 does not tell places of a large picture apart. */
const PLACES: Readonly<Record<string, readonly string[]>> = { resample: ['coordinates'] };

export function toFloat16(main: MilFunction, names: Names, target: number): void {
  new Conversion(main, names, target).run();
}

class Conversion {
  readonly #main: MilFunction;
  readonly #names: Names;
  readonly #target: number;
  readonly #operations: MilOperation[] = [];
  /** float32 values and constants by what they are in float16, and the other way round. */
  readonly #halves = new Map<MilArgument, MilArgument>();
  readonly #singles = new Map<MilValue, MilValue>();

  constructor(main: MilFunction, names: Names, target: number) {
    this.#main = main;
    this.#names = names;
    this.#target = target;
  }

  run(): void {
    const { operations, outputs } = this.#main;
    const public_ = new Set(outputs);
    for (const operation of operations) this.#convert(operation, public_);
    operations.splice(0, operations.length, ...this.#operations);
  }

  #convert(operation: MilOperation, outputs: ReadonlySet<MilValue>): void {
    const { type } = operation;
    const stays =
      NEVER.has(type) ||
      operation.precise === true ||
      (this.#target < 17 && RECURRENT.has(type)) ||
      [...operation.inputs.values()].flat().some((argument) => overflows(argument));
    const kept = this.#target >= 17 ? (KEPT[type] ?? []) : [];
    const places = PLACES[type] ?? [];
    const inputs = new Map<string, readonly MilArgument[]>();
    for (const [name, given] of operation.inputs) {
      const convert = (argument: MilArgument): MilArgument =>
        stays || places.includes(name) ? this.#single(argument) : kept.includes(name) ? argument : this.#half(argument);
      inputs.set(name, given.map(convert));
    }
    const made: { before: MilValue; after: MilValue }[] = [];
    const results = operation.outputs.map((output) => {
      if (stays || output.type.dtype !== 'fp32') return output;
      // An output of the function keeps its name and type: the operation's own result gets another.
      const half = new MilValue(outputs.has(output) ? this.#names.unique(`${output.name}_fp16`) : output.name, {
        ...output.type,
        dtype: 'fp16',
      });
      made.push({ before: output, after: half });
      this.#halves.set(output, half);
      return half;
    });
    this.#operations.push({ ...operation, inputs, outputs: results });
    for (const { before, after } of made) if (outputs.has(before)) this.#cast(after, before, 'fp32', operation.source);
  }

  #half(argument: MilArgument): MilArgument {
    if (argument.type.dtype !== 'fp32') return argument;
    const known = this.#halves.get(argument);
    if (known !== undefined) return known;
    let half: MilArgument;
    if (!isValue(argument)) half = halfConstant(argument);
    else if (argument.constant !== null) {
      const constant = halfConstant(argument.constant);
      half = new MilValue(this.#names.unique(`${argument.name}_fp16`), constant.type, constant);
    } else {
      const value = new MilValue(this.#names.unique(`${argument.name}_fp16`), { ...argument.type, dtype: 'fp16' });
      this.#cast(argument, value, 'fp16');
      half = value;
    }
    this.#halves.set(argument, half);
    return half;
  }

  /** What an operation in float32 reads: values that were made in float16 are cast back. */
  #single(argument: MilArgument): MilArgument {
    const half = this.#halves.get(argument);
    if (!isValue(argument) || argument.constant !== null || half === undefined || !isValue(half)) return argument;
    // Inputs of the function and values that were cast down are there in float32 as well.
    const isThere =
      this.#main.inputs.includes(argument) ||
      this.#main.outputs.includes(argument) ||
      this.#operations.some(({ outputs }) => outputs.includes(argument));
    if (isThere) return argument;
    const known = this.#singles.get(half);
    if (known !== undefined) return known;
    const value = new MilValue(this.#names.unique(`${argument.name}_fp32`), argument.type);
    this.#cast(half, value, 'fp32');
    this.#singles.set(half, value);
    return value;
  }

  #cast(from: MilValue, to: MilValue, dtype: 'fp16' | 'fp32', source = ''): void {
    const constant = stringConstant(dtype);
    const parameter = new MilValue(this.#names.unique(`${to.name}_dtype`), constant.type, constant);
    this.#operations.push({
      type: 'cast',
      inputs: new Map([
        ['x', [from]],
        ['dtype', [parameter]],
      ]),
      outputs: [to],
      source,
    });
  }
}

/** Whether a float constant holds values that float16 cannot, and that do not stand for infinity. */
function overflows(argument: MilArgument): boolean {
  const constant = isValue(argument) ? argument.constant : argument;
  if (constant === null || constant.type.dtype !== 'fp32') return false;
  const losses = noHalfLosses();
  for (const chunk of constant.data.chunks(CHUNK)) addHalfLosses(losses, chunk);
  return losses.largest > HALF_MAX && losses.largest < AS_INFINITE;
}

function halfConstant(constant: MilConstant): MilConstant {
  if (constant.type.dtype !== 'fp32') return constant;
  return constantOf({ ...constant.type, dtype: 'fp16' }, new ConvertedData(constant.data, 4, 2, halfBytes));
}

/** Rounds to nearest; finite values that overflow become the largest, and none that is not zero becomes zero. */
function halfBytes(piece: Uint8Array): Uint8Array {
  const floats = float32View(piece);
  const halves = new Float16Array(floats.length);
  for (let index = 0; index < floats.length; index++) {
    const value = floats[index] ?? 0;
    if (Number.isFinite(value) && Math.abs(value) > HALF_MAX) halves[index] = Math.sign(value) * HALF_MAX;
    else {
      halves[index] = value;
      if (halves[index] === 0 && value !== 0) halves[index] = Math.sign(value) * HALF_MIN;
    }
  }
  return bytesOf(halves);
}
