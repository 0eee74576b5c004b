/**
 * Predicts on any machine what a quantized model loses on x86 CPUs without VNNI, where pairs of products saturate
 * (`kernels/pair-saturation.ts`). The graph with Q/DQ pairs runs in float; the codes that each layer reads come out, the
 * excess of its sums is worked out (`saturation-layer.ts`), and goes back in as an input that is added to the layer's output. A layer's excess
 * changes what the layers after it read, so this is repeated: after n rounds the first n layers in a row are exact, and the
 * rest is close, as saturation is rare.
 */
import { cloneModel } from '../graph/clone.ts';
import type { Model } from '../graph/model.ts';
import { discard } from '../lib/discard.ts';
import type { Feeds, HostTensor, Session } from '../lib/engine.ts';
import { type OpenModel, rowsOf } from './observation.ts';
import { outputChange } from './output-change.ts';
import { type Excess, excessOf, layerOf, NO_EXCESS, type SaturatingLayer, tapLayer } from './saturation-layer.ts';

export interface SaturationFacts {
  readonly samples: number;
  /** Rows of scores whose largest element stays the same, as a share; null where no output is a row of scores. */
  readonly agreement: number | null;
  /** Change of the outputs (see `outputChange`). */
  readonly change: number;
  /** Layers in which a pair saturated. */
  readonly layers: readonly {
    readonly node: string;
    /** Saturated pairs over all pairs that were added. */
    readonly share: number;
    /** Norm of the excess over the norm of the layer's output. */
    readonly error: number;
  }[];
  /** Layers that the emulation does not cover. */
  readonly left: readonly string[];
}

interface Sums {
  saturated: number;
  pairs: number;
  excess: number;
  power: number;
}

const ROUNDS = 3;

/**
 * Emulates the layers of `model` whose input is uint8 and whose weight is int8 through DequantizeLinear, on the first `samples` of
 * `batches`. Holds several times the activations of a batch. Null when no pair of any layer can saturate.
 */
export async function emulateSaturation(
  model: Model,
  batches: AsyncIterable<Feeds>,
  samples: number,
  open: OpenModel,
  batchless: boolean = false,
): Promise<SaturationFacts | null> {
  const clone = cloneModel(model).model;
  const outputs = clone.graph.outputs.map(({ name }) => name);
  const left: string[] = [];
  const layers: SaturatingLayer[] = [];
  // The last layers first: the engine works towards the newest nodes first, and need not keep what early layers make for long.
  for (const node of [...clone.graph.nodes].reverse()) {
    const layer = layerOf(node);
    if (typeof layer === 'string') left.unshift(layer);
    else if (layer !== null && layer.pairs.at.length > 0) layers.unshift(tapLayer(clone.graph, node, layer));
  }
  if (layers.length === 0) return null;
  const sums = new Map(layers.map((layer) => [layer, { saturated: 0, pairs: 0, excess: 0, power: 0 }]));
  const session = await open(clone, { optimization: 'disabled', memoryPattern: false });
  let rows = 0;
  let change = 0;
  let runs = 0;
  const agreement = { same: 0, rows: 0 };
  try {
    for await (const feeds of batches) {
      if (rows >= samples) break;
      const { expected, actual } = await emulateBatch(session, layers, feeds, outputs, sums);
      change += outputChange(expected, actual);
      const batch = rowsOf(feeds, batchless);
      // Past the samples asked for there may be rows that only fill a fixed batch up.
      const asked = Math.min(batch, samples - rows);
      countAgreement(expected, actual, asked / batch, agreement);
      for (const tensors of [expected, actual]) discard(tensors);
      rows += asked;
      runs++;
    }
  } finally {
    await session.release();
  }
  return {
    samples: rows,
    agreement: agreement.rows === 0 ? null : agreement.same / agreement.rows,
    change: change / Math.max(1, runs),
    layers: [...sums]
      .filter(([, { saturated }]) => saturated > 0)
      .map(([{ label }, { saturated, pairs, excess, power }]) => ({
        node: label,
        share: saturated / Math.max(1, pairs),
        error: Math.sqrt(excess / Math.max(power, 1e-30)),
      }))
      .sort((a, b) => b.error - a.error),
    left,
  };
}

/** The outputs of the model without saturation and with it; adds what each layer loses to `sums`. */
async function emulateBatch(
  session: Session,
  layers: readonly SaturatingLayer[],
  feeds: Feeds,
  outputs: readonly string[],
  sums: ReadonlyMap<SaturatingLayer, Sums>,
): Promise<{ expected: Feeds; actual: Feeds }> {
  const deltas: Feeds = Object.fromEntries(layers.map(({ delta }) => [delta, NO_EXCESS]));
  let found = await session.run({ ...feeds, ...deltas });
  const expected = copied(found, outputs);
  for (let round = 1; round <= ROUNDS; round++) {
    const excesses = layers.map((layer) => excessOf(layer, found));
    // What saturates nowhere has nothing that layers further on could see.
    const nothing = round === 1 && excesses.every(({ saturated }) => saturated === 0);
    if (round === ROUNDS || nothing) {
      for (const [index, layer] of layers.entries()) addTo(sums.get(layer), excesses[index], found[layer.power]);
    }
    if (nothing) break;
    layers.forEach(({ delta }, index) => {
      deltas[delta] = excesses[index]?.excess ?? NO_EXCESS;
    });
    discard(found);
    found = await session.run({ ...feeds, ...deltas });
  }
  const actual = copied(found, outputs);
  discard(found);
  return { expected, actual };
}

function addTo(sums: Sums | undefined, excess: Excess | undefined, power: HostTensor | undefined): void {
  if (sums === undefined || excess === undefined) return;
  sums.saturated += excess.saturated;
  sums.pairs += excess.pairs;
  sums.excess += excess.squares;
  sums.power += Number(power?.data[0] ?? 0);
}

/** Those tensors, which stay when the others are discarded. */
function copied(feeds: Feeds, names: readonly string[]): Feeds {
  return Object.fromEntries(
    names.flatMap((name) => {
      const tensor = feeds[name];
      return tensor === undefined ? [] : [[name, { ...tensor, data: tensor.data.slice() as HostTensor['data'] }]];
    }),
  );
}

/** Of the first `share` of the rows of all outputs that are scores of classes. */
function countAgreement(expected: Feeds, actual: Feeds, share: number, count: { same: number; rows: number }): void {
  for (const [name, { data, shape }] of Object.entries(expected)) {
    const other = actual[name]?.data;
    const classes = shape.at(-1) ?? 1;
    if (!(data instanceof Float32Array) || !(other instanceof Float32Array) || shape.length < 2 || classes < 2)
      continue;
    for (let row = 0; row < data.length * share; row += classes) {
      count.rows++;
      if (largest(data.subarray(row, row + classes)) === largest(other.subarray(row, row + classes))) count.same++;
    }
  }
}

function largest(values: Float32Array): number {
  let best = 0;
  for (let index = 1; index < values.length; index++)
    if ((values[index] as number) > (values[best] as number)) best = index;
  return best;
}
