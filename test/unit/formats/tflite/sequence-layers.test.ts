/**
 * Recurrent layers of TFLite files, opened as ONNX, against their kernels written out here (lite/kernels/lstm_eval.cc and
 * rnn's kernel_utils.cc): LiteRT's compiled models refuse the variables that they keep their state in.
 */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { onnxBytes } from '../../../../native-workers/formats/onnx/write.ts';
import type { OptionValue, TflTensor } from '../../../../native-workers/formats/tflite/ir.ts';
import { readTflite } from '../../../../native-workers/formats/tflite/read.ts';
import type { BuiltinOperator } from '../../../../native-workers/formats/tflite/schema.ts';
import { writeTflite } from '../../../../native-workers/formats/tflite/write.ts';
import { tensorFromNumbers } from '../../../../native-workers/graph/tensor-values.ts';
import { validate } from '../../../../native-workers/graph/validate.ts';
import { Random } from '../../../../native-workers/lib/random.ts';
import { engine, float32 } from '../../../helpers/passes.ts';
import { temporaryFolder } from '../../../helpers/temp.ts';

const [STEPS, BATCH, WIDTH, UNITS] = [5, 2, 3, 4];
const TANH = 4;
const RELU = 1;
const NONE = 0;
const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x));
const ACTIVATIONS: Readonly<Record<number, (x: number) => number>> = {
  [TANH]: Math.tanh,
  [RELU]: (x) => Math.max(x, 0),
  [NONE]: (x) => x,
};

/** Rows of numbers of which each operand is made once. */
class Operands {
  readonly numbers: (number[] | null)[] = [];
  readonly tensors: (TflTensor | null)[] = [];
  readonly #random = new Random(3);

  weight(place: number, shape: readonly number[]): void {
    const values = Array.from({ length: shape.reduce((all, dim) => all * dim) }, () => this.#random.normal() * 0.5);
    this.numbers[place] = Array.from(Float32Array.from(values));
    this.tensors[place] = tensor(`w${place}`, shape, values);
  }

  /** A variable: nothing makes it. */
  state(place: number): void {
    this.tensors[place] = tensor(`s${place}`, [BATCH, UNITS]);
  }

  to(count: number): (TflTensor | null)[] {
    return Array.from({ length: count }, (_, place) => this.tensors[place] ?? null);
  }

  row(place: number, unit: number, count: number): number[] {
    return this.numbers[place]?.slice(unit * count, (unit + 1) * count) ?? [];
  }
}

function tensor(name: string, shape: readonly number[], values?: readonly number[]): TflTensor {
  const constant = values === undefined ? null : tensorFromNumbers('float32', values, shape);
  return { name, shape, dtype: 'float32', constant, quantization: null, signature: null };
}

const dot = (a: readonly number[], b: readonly number[]): number =>
  a.reduce((sum, each, at) => sum + each * (b[at] ?? 0), 0);

/** State of one sequence: hidden and cell. */
interface State {
  readonly h: number[];
  readonly c: number[];
}
type Cell = (x: readonly number[], state: State) => State;

function lstmCell(weights: Operands, first: number, act: (x: number) => number): Cell {
  const isCoupled = weights.numbers[first] === undefined;
  const hasPeepholes = weights.numbers[first + 9] !== undefined;
  return (x, { h, c }) => {
    const gate = (index: number, cell: readonly number[], unit: number): number =>
      dot(weights.row(first + index, unit, WIDTH), x) +
      dot(weights.row(first + 4 + index, unit, UNITS), h) +
      (weights.numbers[first + 11 + index]?.[unit] ?? 0) +
      (hasPeepholes && index !== 2
        ? (weights.numbers[first + 8 + (index === 3 ? 2 : index)]?.[unit] ?? 0) * (cell[unit] ?? 0)
        : 0);
    const next = c.map((cell, unit) => {
      const forget = sigmoid(gate(1, c, unit));
      const own = isCoupled ? 1 - forget : sigmoid(gate(0, c, unit));
      return forget * cell + own * act(gate(2, c, unit));
    });
    return { c: next, h: next.map((cell, unit) => sigmoid(gate(3, next, unit)) * act(cell)) };
  };
}

function rnnCell(weights: Operands, first: number, act: (x: number) => number): Cell {
  return (x, { h, c }) => ({
    c,
    h: h.map((_, unit) =>
      act(
        dot(weights.row(first, unit, WIDTH), x) +
          dot(weights.row(first + 1, unit, UNITS), h) +
          (weights.numbers[first + 2]?.[unit] ?? 0),
      ),
    ),
  });
}

/** [steps][batch][units] */
function run(cell: Cell, x: readonly (readonly number[])[][], isBackward: boolean): number[][][] {
  const zeros = (): number[] => new Array<number>(UNITS).fill(0);
  const outputs = x.map((): number[][] => []);
  for (let batch = 0; batch < BATCH; batch++) {
    let state: State = { h: zeros(), c: zeros() };
    for (let taken = 0; taken < STEPS; taken++) {
      const at = isBackward ? STEPS - 1 - taken : taken;
      state = cell(x[at]?.[batch] ?? [], state);
      (outputs[at] as number[][])[batch] = state.h;
    }
  }
  return outputs;
}

interface Layer {
  readonly code: BuiltinOperator;
  readonly count: number;
  readonly firsts: readonly number[];
  readonly fill: (weights: Operands) => void;
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly isMerged?: boolean;
}

const lstm =
  (first: number, { isCoupled = false, hasPeepholes = false } = {}) =>
  (weights: Operands): void => {
    for (let gate = isCoupled ? 1 : 0; gate < 4; gate++) {
      weights.weight(first + gate, [UNITS, WIDTH]);
      weights.weight(first + 4 + gate, [UNITS, UNITS]);
      weights.weight(first + 11 + gate, [UNITS]);
    }
    if (hasPeepholes) for (let gate = isCoupled ? 1 : 0; gate < 3; gate++) weights.weight(first + 8 + gate, [UNITS]);
  };
const rnn =
  (first: number) =>
  (weights: Operands): void => {
    weights.weight(first, [UNITS, WIDTH]);
    weights.weight(first + 1, [UNITS, UNITS]);
    weights.weight(first + 2, [UNITS]);
    weights.state(first + 3);
  };
const forwardStates = (weights: Operands): void => [18, 19].forEach((place) => void weights.state(place));
const allStates = (weights: Operands): void => [35, 36, 37, 38].forEach((place) => void weights.state(place));

const UNIDIRECTIONAL = { code: 'UNIDIRECTIONAL_SEQUENCE_LSTM', count: 20, firsts: [1] } as const;
const BIDIRECTIONAL = { code: 'BIDIRECTIONAL_SEQUENCE_LSTM', count: 39, firsts: [1, 18] } as const;
const tanh = { fused_activation_function: TANH };

const LAYERS: readonly (readonly [string, Layer])[] = [
  [
    'LSTM, time first',
    {
      ...UNIDIRECTIONAL,
      fill: (weights) => [lstm(1), forwardStates].forEach((fill) => void fill(weights)),
      options: { ...tanh, time_major: true },
    },
  ],
  [
    'LSTM, batch first, with peepholes',
    {
      ...UNIDIRECTIONAL,
      fill: (weights) => [lstm(1, { hasPeepholes: true }), forwardStates].forEach((fill) => void fill(weights)),
      options: { ...tanh, time_major: false },
    },
  ],
  [
    'LSTM without an input gate',
    {
      ...UNIDIRECTIONAL,
      fill: (weights) =>
        [lstm(1, { isCoupled: true, hasPeepholes: true }), forwardStates].forEach((fill) => void fill(weights)),
      options: { ...tanh, time_major: true },
    },
  ],
  [
    'LSTM in both directions',
    {
      ...BIDIRECTIONAL,
      fill: (weights) => [lstm(1), lstm(18), allStates].forEach((fill) => void fill(weights)),
      options: { ...tanh, time_major: true },
    },
  ],
  [
    'LSTM in both directions, joined, batch first',
    {
      ...BIDIRECTIONAL,
      fill: (weights) => [lstm(1), lstm(18), allStates].forEach((fill) => void fill(weights)),
      options: { ...tanh, time_major: false, merge_outputs: true },
      isMerged: true,
    },
  ],
  ...([TANH, RELU, NONE] as const).map((activation): readonly [string, Layer] => [
    `RNN with activation ${activation}`,
    {
      code: 'UNIDIRECTIONAL_SEQUENCE_RNN',
      count: 5,
      firsts: [1],
      fill: rnn(1),
      options: { fused_activation_function: activation, time_major: activation === TANH },
    },
  ]),
  [
    'RNN in both directions',
    {
      code: 'BIDIRECTIONAL_SEQUENCE_RNN',
      count: 12,
      firsts: [1, 5],
      fill: (weights) => [rnn(1), rnn(5)].forEach((fill) => void fill(weights)),
      options: { ...tanh, time_major: true },
    },
  ],
];

/** The file, with the operands it was made with. */
function made({ code, count, fill, options, firsts, isMerged = false }: Layer): { path: string; weights: Operands } {
  const isTimeMajor = options['time_major'] === true;
  const lead = isTimeMajor ? [STEPS, BATCH] : [BATCH, STEPS];
  const weights = new Operands();
  fill(weights);
  const x = tensor('x', [...lead, WIDTH]);
  weights.tensors[0] = x;
  const outputs = isMerged
    ? [tensor('y0', [...lead, UNITS * firsts.length])]
    : firsts.map((_, side) => tensor(`y${side}`, [...lead, UNITS]));
  const path = join(temporaryFolder(), 'model.tflite');
  const values = (tensors: readonly TflTensor[]) =>
    tensors.map((each) => ({ source: each.name, name: each.name, tensor: each }));
  const operators = [{ code, inputs: weights.to(count), outputs, options, source: 'layer' }];
  writeTflite({ inputs: values([x]), outputs: values(outputs), operators }, path);
  return { path, weights };
}

describe('recurrent layers of a file', () => {
  it.each(LAYERS)('%s', async (_, layer) => {
    const { path, weights } = made(layer);
    const isTimeMajor = layer.options['time_major'] === true;
    const random = new Random(9);
    const x = Array.from({ length: STEPS }, () =>
      Array.from({ length: BATCH }, () => Array.from({ length: WIDTH }, () => Math.fround(random.normal()))),
    );
    const inOrder = (rows: number[][][]): number[] =>
      (isTimeMajor ? rows : Array.from({ length: BATCH }, (_row, batch) => rows.map((each) => each[batch] ?? []))).flat(
        2,
      );
    const act = ACTIVATIONS[layer.options['fused_activation_function'] as number] ?? Math.tanh;
    const cellOf = layer.code.endsWith('LSTM') ? lstmCell : rnnCell;
    const sides = layer.firsts.map((first, side) => run(cellOf(weights, first, act), x, side === 1));
    const joined = layer.isMerged
      ? [x.map((_row, at) => x[at]?.map((_each, batch) => sides.flatMap((side) => side[at]?.[batch] ?? [])) ?? [])]
      : sides;

    const model = readTflite(path);
    validate(model);
    const session = await engine.open(onnxBytes(model));
    const shape = isTimeMajor ? [STEPS, BATCH, WIDTH] : [BATCH, STEPS, WIDTH];
    const results = await session.run({ x: float32(shape, inOrder(x)) });
    await session.release();
    joined.forEach((expected, side) => {
      const found = Array.from(results[`y${side}`]?.data ?? [], Number);
      const wanted = inOrder(expected);
      expect(found).toHaveLength(wanted.length);
      expect(Math.max(...wanted.map((value, at) => Math.abs(value - (found[at] ?? 9))))).toBeLessThan(2e-6);
    });
  });

  it.each([
    [
      'a limit of the cells',
      { ...UNIDIRECTIONAL, fill: lstm(1), options: { ...tanh, cell_clip: 3 } },
      /limit the state/,
    ],
    [
      'a projection',
      {
        ...UNIDIRECTIONAL,
        fill: (weights: Operands) => {
          lstm(1)(weights);
          weights.weight(16, [UNITS, UNITS]);
        },
        options: tanh,
      },
      /no projection/,
    ],
    [
      'normalized gates',
      {
        ...UNIDIRECTIONAL,
        count: 24,
        fill: (weights: Operands) => {
          lstm(1)(weights);
          weights.weight(21, [UNITS]);
        },
        options: tanh,
      },
      /nothing for its input 21/,
    ],
    ['another activation', { ...UNIDIRECTIONAL, fill: lstm(1), options: { fused_activation_function: 3 } }, /no name/],
  ] as const)('refuses %s, by name', (_, layer, reason) => {
    expect(() => readTflite(made(layer).path)).toThrow(reason);
  });
});
