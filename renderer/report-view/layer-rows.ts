/** The layers of a model as the view by layer shows them: what the plan, the quantizer and the search each know of one. */
import type { QuantizationSection, QuantizedLayer } from '../../native-workers/report/sections/quantization.ts';
import type { SaturationSection } from '../../native-workers/report/sections/saturation.ts';

export interface LayerRow {
  readonly node: string;
  readonly operator: string;
  /** Layers whose results it reads, by their place in the order of the graph. */
  readonly after: readonly number[];
  /** What the bar shows; see `LayerRows.measure`. */
  readonly harm: number | null;
  readonly gainMs: number | null;
  readonly isFloat: boolean;
  readonly facts: QuantizedLayer | null;
  /** Why it stays float by plan; null where it does not, or a search decided it. */
  readonly reason: string | null;
  /** What is lost on processors without VNNI; null where nothing is, or it was not emulated. */
  readonly saturation: SaturationSection['layers'][number] | null;
}

export interface LayerRows {
  /**
   * `outputs`: change of the outputs with the layer alone quantized. `noise`: expected error of the layer's sums over their size
   * (10^(-SQNR/20)). `weights`: relative error of its weights.
   */
  readonly measure: 'outputs' | 'noise' | 'weights';
  /** In the order of the graph where that is known. */
  readonly rows: readonly LayerRow[];
}

export function layerRows(
  { passes, graph, sensitivity, left }: QuantizationSection,
  saturated: SaturationSection['layers'] = [],
): LayerRows {
  const hasNoise = passes.some(({ layers }) => layers.some(({ sqnrDb }) => sqnrDb !== null));
  const measure = sensitivity.length > 0 ? 'outputs' : hasNoise ? 'noise' : 'weights';
  const facts = new Map(passes.flatMap(({ layers }) => layers.map((layer) => [layer.node, layer])));
  const reasons = new Map(left.map(({ node, reason }) => [node, reason]));
  const losses = new Map(saturated.map((loss) => [loss.node, loss]));
  const harms = new Map(sensitivity.map((row) => [row.node, row]));
  const known = [...graph.map((link) => link), ...unlinked([...sensitivity, ...facts.values()], graph)];
  return {
    measure,
    rows: known.map(({ node, operator, after }) => {
      const quantized = facts.get(node) ?? null;
      const searched = harms.get(node);
      return {
        node,
        operator,
        after,
        harm: measure === 'outputs' ? (searched?.alone ?? null) : errorOf(quantized, measure),
        gainMs: searched?.gainMs ?? null,
        isFloat: searched?.float ?? quantized === null,
        facts: quantized,
        reason: reasons.get(node) ?? null,
        saturation: losses.get(node) ?? null,
      };
    }),
  };
}

function errorOf(layer: QuantizedLayer | null, measure: 'noise' | 'weights'): number | null {
  if (layer === null || measure === 'weights') return layer?.weightError ?? null;
  return layer.sqnrDb === null ? null : 10 ** (-layer.sqnrDb / 20);
}

/** Layers that stand in no graph, each once. */
function unlinked(
  layers: readonly { readonly node: string; readonly operator: string }[],
  graph: QuantizationSection['graph'],
): QuantizationSection['graph'] {
  const linked = new Set(graph.map(({ node }) => node));
  const rest = new Map(layers.filter(({ node }) => !linked.has(node)).map(({ node, operator }) => [node, operator]));
  return [...rest].map(([node, operator]) => ({ node, operator, after: [] }));
}

/** The places of the rows, most harmful first. */
export function byHarm(rows: readonly LayerRow[]): number[] {
  return rows.map((_, place) => place).sort((a, b) => (rows[b]?.harm ?? -1) - (rows[a]?.harm ?? -1) || a - b);
}

/**
 * A name of PyTorch's exporter without what it says twice: `/features/features.2/conv/conv.0/conv.0.0/Conv` of a Conv is
 * `features.2/conv.0.0`. Other names stay as they are.
 */
export function shortName({ node, operator }: Pick<LayerRow, 'node' | 'operator'>): string {
  if (!node.startsWith('/')) return node;
  const parts = node.slice(1).split('/');
  if (parts.length > 1 && parts.at(-1) === operator) parts.pop();
  return parts.filter((part, index) => parts[index + 1]?.startsWith(`${part}.`) !== true).join('/');
}
