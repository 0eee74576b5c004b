/** The layers that were quantized, those with the lowest signal to noise first, and what stayed float and why. */

import { formatClipped } from './clipped.ts';
import type { ReportDocument } from './document.ts';
import { formatShare, plural } from './format.ts';
import { folded, table } from './markdown-blocks.ts';
import { dataOf } from './outcome.ts';
import type { QuantizationSection } from './sections/quantization.ts';
import { escapeMarkdown as text } from './text.ts';

/** The layers with the largest errors tell where they come from; the full report has the others. */
const MOST_LAYERS = 20;
/** Nodes that are named for one reason. */
const MOST_NODES = 8;

export function quantizationOf({ sections }: Pick<ReportDocument, 'sections'>): string {
  const data = dataOf(sections.quantization);
  if (data === null) return '';
  return [...data.passes.map(layersOf), leftOf(data)].filter((block) => block !== '').join('\n\n');
}

function layersOf({ title, layers }: QuantizationSection['passes'][number]): string {
  const lowest = layers.toSorted((a, b) => (a.sqnrDb ?? Infinity) - (b.sqnrDb ?? Infinity)).slice(0, MOST_LAYERS);
  const rows = lowest.map((layer) => {
    const { node, operator, sqnrDb, weightError, method } = layer;
    return [
      text(node),
      text(operator),
      sqnrDb === null ? 'not measured' : `${sqnrDb.toFixed(1)} dB`,
      weightError === null ? 'not measured' : formatShare(weightError),
      formatClipped(layer) ?? '',
      text(method ?? ''),
    ];
  });
  const head = ['Layer', 'Operator', 'Expected SQNR', 'Error of weights', 'Input clipped', 'Range by'];
  const more = layers.length > MOST_LAYERS ? `\n\n${layers.length - MOST_LAYERS} more are in the full report.` : '';
  return folded(
    `${text(title)}: ${plural(layers.length, 'layer')}, the lowest signal to quantization noise first`,
    table(head, rows, [2, 3, 4]) + more,
  );
}

function leftOf({ left }: QuantizationSection): string {
  if (left.length === 0) return '';
  const rows = [...Map.groupBy(left, ({ reason }) => reason)].map(([reason, nodes]) => {
    const more = nodes.length > MOST_NODES ? ` and ${nodes.length - MOST_NODES} more` : '';
    const named = nodes.slice(0, MOST_NODES).map(({ node }) => text(node));
    return [text(reason), String(nodes.length), `${named.join(', ')}${more}`];
  });
  return folded(
    `${plural(left.length, 'node')} left float by plan, and why`,
    table(['Why', 'Nodes', 'Which'], rows, [1]),
  );
}
