/**
 * Second moments of what a layer multiplies with its weight, summed while its input streams by: E[x x^T] over a few output
 * positions of each sample. A long row is cut into blocks, and only the moments within a block are kept.
 */
import { intAttribute, intsAttribute } from '../graph/attribute.ts';
import { Graph } from '../graph/graph.ts';
import { Model } from '../graph/model.ts';
import { tensorFromNumbers } from '../graph/tensor-values.ts';
import { tensorType } from '../graph/types.ts';
import type { Moments } from '../kernels/coordinate-descent.ts';
import { discard } from '../lib/discard.ts';
import type { HostTensor, Session } from '../lib/engine.ts';
import type { LayerRows } from './layer-rows.ts';

/** Rows of the data for each layer over all samples: with twice as many answers moved no less. */
const ROWS = 512;
/** Rows that judge are those of the last of every so many samples. */
const JUDGING = 4;
/** Samples without which there is nothing to judge by. */
export const FEWEST_SAMPLES: number = JUDGING;

/** Of stacks of rows `input` [parts, rows, size]: `products` [parts, size, size] with themselves, and `elements` [parts, size]. */
export function productsModel(): Model {
  const graph = new Graph('products');
  const input = graph.addInput('input', tensorType('float32', [null, null, null]));
  const turned = graph.createValue('turned');
  const products = graph.createValue('products', tensorType('float32', null));
  graph.addNode({
    opType: 'Transpose',
    inputs: [input],
    outputs: [turned],
    attributes: [['perm', intsAttribute([0, 2, 1])]],
  });
  graph.addNode({ opType: 'MatMul', inputs: [turned, input], outputs: [products] });
  const elements = graph.createValue('elements', tensorType('float32', null));
  graph.addNode({
    opType: 'ReduceSum',
    inputs: [input, graph.addInitializer('rows', tensorFromNumbers('int64', [1], [1]))],
    outputs: [elements],
    attributes: [['keepdims', intAttribute(0)]],
  });
  graph.outputs.push(products, elements);
  return new Model(graph, 13, 8);
}

/** Sums over rows; a part is a block of the columns of a group. */
class Sums {
  /** [parts, size, size] of x_i x_j, and [parts, size] of x_i. */
  readonly #products: Float32Array;
  readonly #elements: Float64Array;
  /** Rows that are not multiplied yet, [parts, `#most`, size]: multiplying a few at a time costs more than they do. */
  readonly #waiting: Float32Array;
  readonly #most: number;
  readonly #shape: readonly [number, number];
  #held = 0;
  rows = 0;

  constructor(parts: number, size: number, most: number) {
    this.#products = new Float32Array(parts * size * size);
    this.#elements = new Float64Array(parts * size);
    this.#waiting = new Float32Array(parts * most * size);
    this.#most = most;
    this.#shape = [parts, size];
  }

  /** Adds `count` rows; `write` puts the row of a number, cut into parts, where `at` says each part goes. */
  async add(
    count: number,
    write: (row: number, into: Float32Array, at: (part: number) => number) => void,
    products: Session,
  ): Promise<void> {
    const [, size] = this.#shape;
    for (let row = 0; row < count; row++) {
      const held = this.#held++;
      write(row, this.#waiting, (part) => (part * this.#most + held) * size);
      if (this.#held === this.#most) await this.flush(products);
    }
    this.rows += count;
  }

  async flush(products: Session): Promise<void> {
    if (this.#held === 0) return;
    const [parts, size] = this.#shape;
    const input = { dtype: 'float32', shape: [parts, this.#most, size], data: this.#waiting } as const;
    const found = await products.run({ input });
    addTo(this.#products, found['products']?.data as Float32Array);
    addTo(this.#elements, found['elements']?.data as Float32Array);
    discard(found);
    // Rows of zeros add nothing.
    this.#waiting.fill(0);
    this.#held = 0;
  }

  mean(part: number, column: number): number {
    return (this.#elements[part * this.#shape[1] + column] as number) / this.rows;
  }

  /** Of one part, around the mean where asked. */
  moments(part: number, centered: boolean): Moments {
    const size = this.#shape[1];
    const products = this.#products.slice(part * size * size, (part + 1) * size * size);
    for (let i = 0, at = 0; i < size; i++) {
      const mean = centered ? this.mean(part, i) : 0;
      for (let j = 0; j < size; j++, at++)
        products[at] = (products[at] as number) / this.rows - mean * this.mean(part, j);
    }
    return { size, products };
  }
}

export class LayerMoments {
  readonly rows: LayerRows;
  /** Columns of a block, and blocks of a row; the last block is filled up with zeros. */
  readonly size: number;
  readonly blocks: number;
  readonly #positions: number;
  readonly #waiting: number;
  readonly #products: Session;
  #sums: { readonly fitting: Sums; readonly judging: Sums } | null = null;

  /**
   * `block`: most columns of a block. `samples`: how many there will be. `waiting`: rows that are multiplied at once. `products`: a
   * session of `productsModel`, open until all samples were added.
   */
  constructor(
    rows: LayerRows,
    options: {
      readonly block: number;
      readonly samples: number;
      readonly waiting: number;
      readonly products: Session;
    },
  ) {
    this.rows = rows;
    this.blocks = Math.ceil(rows.columns / options.block);
    this.size = Math.ceil(rows.columns / this.blocks);
    this.#positions = Math.ceil(ROWS / options.samples);
    this.#waiting = options.waiting;
    this.#products = options.products;
  }

  get parts(): number {
    return this.rows.groups * this.blocks;
  }

  /** Adds the samples of `data`, the layer's input, the first of which is the `first` of all. */
  async add(data: HostTensor, first: number): Promise<void> {
    const sums = (): Sums => new Sums(this.parts, this.size, this.#waiting);
    this.#sums ??= { fitting: sums(), judging: sums() };
    const positions = this.rows.positions(data);
    const wanted = Math.min(positions, this.#positions);
    const places = { fitting: [] as [number, number][], judging: [] as [number, number][] };
    for (let sample = 0; sample < (data.shape[0] ?? 1); sample++) {
      const list = (first + sample) % JUDGING === JUDGING - 1 ? places.judging : places.fitting;
      // Other places in each sample, spread evenly: the golden ratio leaves no gaps.
      const shift = ((first + sample) * 0.6180339887) % 1;
      for (let index = 0; index < wanted; index++)
        list.push([sample, Math.floor(((index + shift) * positions) / wanted)]);
    }
    await this.#accumulate(this.#sums.fitting, data, places.fitting);
    await this.#accumulate(this.#sums.judging, data, places.judging);
  }

  async #accumulate(sums: Sums, data: HostTensor, places: readonly (readonly [number, number])[]): Promise<void> {
    const { groups, columns } = this.rows;
    const { size, blocks } = this;
    // A row that is one block goes where it belongs; others are cut up.
    const whole = new Float32Array(blocks === 1 ? 0 : columns);
    const read = this.rows.reader(data);
    const write = (row: number, into: Float32Array, at: (part: number) => number): void => {
      const [sample, position] = places[row] as readonly [number, number];
      for (let group = 0; group < groups; group++) {
        if (blocks === 1) {
          read(sample, group, position, into, at(group));
          continue;
        }
        read(sample, group, position, whole, 0);
        for (let block = 0, from = 0; block < blocks; block++) {
          const start = at(group * blocks + block);
          for (const end = Math.min(columns, from + size), to = start - from; from < end; from++)
            into[to + from] = whole[from] as number;
        }
      }
    };
    await sums.add(places.length, write, this.#products);
  }

  /** Multiplies the rows that wait: all samples were added. */
  async finish(): Promise<void> {
    await this.#sums?.fitting.flush(this.#products);
    await this.#sums?.judging.flush(this.#products);
  }

  /**
   * The moments to fit codes to, those of other samples to judge them by, and the mean by column of a part; null without samples.
   * Lets the sums go.
   */
  take(): {
    fitting(part: number, centered: boolean): Moments;
    judging(part: number, centered: boolean): Moments;
    mean(part: number, column: number): number;
  } | null {
    const sums = this.#sums;
    this.#sums = null;
    if (sums === null || sums.fitting.rows === 0 || sums.judging.rows === 0) return null;
    return {
      fitting: (part, centered) => sums.fitting.moments(part, centered),
      judging: (part, centered) => sums.judging.moments(part, centered),
      mean: (part, column) => sums.fitting.mean(part, column),
    };
  }
}

function addTo(sums: Float32Array | Float64Array, more: Float32Array): void {
  for (let index = 0; index < more.length; index++) sums[index] = (sums[index] as number) + (more[index] as number);
}
