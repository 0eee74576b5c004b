/**
 * Mean intersection over union of a segmentation. Terms: class, pixels in both, pixels in either, for each class of the
 * sample. Intersections and unions are summed over all samples before they are divided, as in Pascal VOC.
 */
import { always, type Metric, type MetricSample } from './metric.ts';

export const meanIou: Metric = {
  name: 'mean-iou',
  summary: 'Pixels in both label and answer over pixels in either, over all samples; mean over the classes.',
  task: 'segmentation',
  better: 'higher',
  unit: 'share',
  applies: always,
  value: (samples) => {
    const rows = iouByClass(samples);
    return rows.reduce((sum, { iou }) => sum + iou, 0) / rows.length;
  },
};

export function iouByClass(samples: readonly MetricSample[]): { readonly class: number; readonly iou: number }[] {
  const sums = new Map<number, { both: number; either: number }>();
  for (const { terms } of samples) {
    for (let at = 0; at + 2 < terms.length; at += 3) {
      const [index, both, either] = terms.slice(at, at + 3) as [number, number, number];
      const sum = sums.get(index) ?? { both: 0, either: 0 };
      sums.set(index, { both: sum.both + both, either: sum.either + either });
    }
  }
  return [...sums]
    .toSorted(([a], [b]) => a - b)
    .map(([index, { both, either }]) => ({ class: index, iou: both / either }));
}
