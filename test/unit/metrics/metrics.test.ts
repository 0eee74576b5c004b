import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { auc } from '../../../native-workers/metrics/auc.ts';
import { compareMetric, measureMetric } from '../../../native-workers/metrics/compare.ts';
import { classRows, confusionMatrix } from '../../../native-workers/metrics/confusion.ts';
import { f1 } from '../../../native-workers/metrics/f1.ts';
import { mae } from '../../../native-workers/metrics/mae.ts';
import {
  meanAveragePrecision,
  meanAveragePrecision50,
} from '../../../native-workers/metrics/mean-average-precision.ts';
import { meanIou } from '../../../native-workers/metrics/mean-iou.ts';
import type { MetricSample } from '../../../native-workers/metrics/metric.ts';
import { perplexity } from '../../../native-workers/metrics/perplexity.ts';
import { precision } from '../../../native-workers/metrics/precision.ts';
import { recall } from '../../../native-workers/metrics/recall.ts';
import { METRICS, metricsOf } from '../../../native-workers/metrics/registry.ts';
import { rmse } from '../../../native-workers/metrics/rmse.ts';
import { bySubgroup } from '../../../native-workers/metrics/subgroups.ts';
import { top1 } from '../../../native-workers/metrics/top-1.ts';
import { top5 } from '../../../native-workers/metrics/top-5.ts';

const answers = (labels: readonly number[], found: readonly number[]): MetricSample[] =>
  labels.map((label, index) => ({ label, terms: [found[index] as number] }));

const terms = (...all: number[][]): MetricSample[] => all.map((each) => ({ label: null, terms: each }));

describe('classification', () => {
  // scikit-learn's own example: classification_report of these two.
  const samples = answers([0, 1, 2, 2, 2], [0, 0, 2, 2, 1]);

  it('counts best and five best answers', () => {
    expect(top1.value(samples)).toBe(0.6);
    const ranked: MetricSample[] = [
      { label: 7, terms: [1, 2, 3, 4, 7] },
      { label: 7, terms: [7, 2, 3, 4, 5] },
      { label: 7, terms: [1, 2, 3, 4, 5] },
      { label: 7, terms: [] },
    ];
    expect(top5.value(ranked)).toBe(0.5);
    expect(top1.value(ranked)).toBe(0.25);
    expect(top5.applies(ranked, 5)).toBe(false);
    expect(top5.applies(ranked, 6)).toBe(true);
  });

  it('gives the precision, recall and F1 of scikit-learn', () => {
    expect(classRows(samples)).toEqual([
      { class: 0, support: 1, precision: 0.5, recall: 1, f1: 2 / 3 },
      { class: 1, support: 1, precision: 0, recall: 0, f1: 0 },
      { class: 2, support: 3, precision: 1, recall: 2 / 3, f1: 0.8 },
    ]);
    expect(precision.value(samples)).toBeCloseTo(0.5, 12);
    expect(recall.value(samples)).toBeCloseTo(0.5555556, 6);
    expect(f1.value(samples)).toBeCloseTo(0.4888889, 6);
    expect(confusionMatrix(samples, 3)).toEqual([
      [1, 0, 0],
      [1, 0, 0],
      [0, 1, 2],
    ]);
  });

  it('gives the area under the curve, ties counted half', () => {
    const scored = (labels: number[], scores: number[]): MetricSample[] =>
      labels.map((label, index) => ({ label, terms: [0, 1], score: scores[index] as number }));
    // scikit-learn's roc_auc_score example.
    expect(auc.value(scored([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8]))).toBe(0.75);
    expect(auc.value(scored([0, 1, 0, 1], [1, 1, 1, 1]))).toBe(0.5);
    expect(auc.value(scored([0, 0, 1], [3, 2, 1]))).toBe(0);
    expect(auc.applies(scored([1, 1], [0, 1]), 2)).toBe(false);
    expect(auc.applies(samples, 3)).toBe(false);
  });
});

describe('metrics against plain definitions', () => {
  const scored = fc.array(fc.record({ label: fc.nat(1), score: fc.nat(4) }), { minLength: 2, maxLength: 40 });

  it('area under the curve: the share of pairs in the right order', () => {
    fc.assert(
      fc.property(scored, (rows) => {
        const given = rows.map(({ label, score }) => ({ label, score, terms: [label] }));
        const [negative, positive] = [0, 1].map((label) => rows.filter((row) => row.label === label));
        fc.pre(negative !== undefined && negative.length > 0 && positive !== undefined && positive.length > 0);
        let wins = 0;
        for (const a of positive ?? [])
          for (const b of negative ?? []) wins += a.score > b.score ? 1 : a.score === b.score ? 0.5 : 0;
        expect(auc.value(given)).toBeCloseTo(wins / ((positive?.length ?? 0) * (negative?.length ?? 0)), 12);
      }),
    );
  });

  it('average precision: at each of 101 recalls the best precision of any threshold that reaches it', () => {
    // Scores are distinct, as COCO leaves the order of equal ones open.
    const detections = fc.uniqueArray(fc.record({ score: fc.nat(1000), hit: fc.boolean() }), {
      selector: ({ score }) => score,
      maxLength: 25,
    });
    fc.assert(
      fc.property(detections, fc.nat(5), (found, missed) => {
        const objects = found.filter(({ hit }) => hit).length + missed;
        fc.pre(objects > 0);
        const sample = terms([
          objects,
          ...new Array<number>(objects).fill(0),
          ...found.flatMap(({ score, hit }) => [0, score, hit ? 1 : 0]),
        ]);
        const atThreshold = found.map(({ score: least }) => {
          const kept = found.filter(({ score }) => score >= least);
          const hits = kept.filter(({ hit }) => hit).length;
          return { precision: hits / kept.length, recall: hits / objects };
        });
        let sum = 0;
        for (let point = 0; point <= 100; point++) {
          const reached = atThreshold.filter(({ recall }) => recall >= point / 100 - 1e-12);
          sum += reached.reduce((best, { precision }) => Math.max(best, precision), 0);
        }
        expect(meanAveragePrecision50.value(sample)).toBeCloseTo(sum / 101, 9);
      }),
    );
  });

  it('F1 by class: the harmonic mean of its precision and recall', () => {
    const answers = fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(answers, (pairs) => {
        const rows = classRows(pairs.map(([label, answer]) => ({ label, terms: [answer] })));
        for (const { class: index, precision, recall, f1: found } of rows) {
          const right = pairs.filter(([label, answer]) => label === index && answer === index).length;
          const answered = pairs.filter(([, answer]) => answer === index).length;
          const support = pairs.filter(([label]) => label === index).length;
          expect(precision).toBeCloseTo(answered === 0 ? 0 : right / answered, 12);
          expect(recall).toBeCloseTo(support === 0 ? 0 : right / support, 12);
          const sum = precision + recall;
          expect(found).toBeCloseTo(sum === 0 ? 0 : (2 * precision * recall) / sum, 12);
        }
      }),
    );
  });
});

describe('other tasks', () => {
  it('weigh perplexity by tokens', () => {
    expect(perplexity.value(terms([Math.log(8) * 3, 3], [Math.log(8), 1]))).toBeCloseTo(8, 12);
    expect(perplexity.value(terms([1, 1], []))).toBeNaN();
  });

  it('give the errors of a regression', () => {
    const samples = terms([9, 3, 1], [16, 4, 1], [0, 0, 2]);
    expect(rmse.value(samples)).toBe(2.5);
    expect(mae.value(samples)).toBe(7 / 4);
  });

  it('sum intersections and unions before they divide', () => {
    // Class 0: 6 of 8; class 1: 1 of 4.
    expect(meanIou.value(terms([0, 2, 4, 1, 1, 2], [0, 4, 4, 1, 0, 2]))).toBeCloseTo((0.75 + 0.25) / 2, 12);
  });

  it('give COCO average precision', () => {
    const all = 1023;
    // Everything found at every overlap.
    expect(meanAveragePrecision.value(terms([1, 0, 0, 0.9, all], [1, 1, 1, 0.8, all]))).toBeCloseTo(1, 12);
    // One of two objects found: precision 1 up to recall 0.5, so 51 of the 101 points.
    expect(meanAveragePrecision50.value(terms([2, 0, 0, 0, 0.9, 1]))).toBeCloseTo(51 / 101, 12);
    // A surer wrong answer first: precision 1/2 all along.
    expect(meanAveragePrecision50.value(terms([1, 0, 0, 0.9, 0, 0, 0.8, 1]))).toBeCloseTo(0.5, 12);
    // Found at the first two overlaps of ten only.
    expect(meanAveragePrecision.value(terms([1, 0, 0, 0.9, 3]))).toBeCloseTo(0.2, 12);
    // Detections of a class that no picture holds do not count; a class never found counts as zero.
    expect(meanAveragePrecision50.value(terms([2, 0, 1, 0, 0.9, 1, 5, 0.9, 0]))).toBeCloseTo(0.5, 12);
  });
});

describe('compareMetric', () => {
  it('uses exact intervals and the exact test for shares', () => {
    const before = answers(new Array(100).fill(1), [...new Array(90).fill(1), ...new Array(10).fill(0)]);
    const after = answers(new Array(100).fill(1), [
      ...new Array(82).fill(1),
      ...new Array(8).fill(0),
      ...new Array(2).fill(1),
      ...new Array(8).fill(0),
    ]);
    expect(compareMetric(top1, before, after, 0)).toMatchObject({
      name: 'top-1',
      before: 0.9,
      after: 0.84,
      delta: expect.closeTo(-0.06, 12),
      test: 'McNemar exact',
      p: expect.closeTo(0.109375, 10),
      samples: 100,
    });
  });

  it('uses the bootstrap for all else and finds a real difference', () => {
    const before = terms(...Array.from({ length: 200 }, (_, index) => [2 + (index % 5), 1]));
    const after = terms(...Array.from({ length: 200 }, (_, index) => [2.1 + (index % 5), 1]));
    const facts = compareMetric(perplexity, before, after, 7);
    expect(facts?.after).toBeGreaterThan(facts?.before ?? 0);
    expect(facts?.interval.low).toBeGreaterThan(0);
    expect(facts?.p).toBeCloseTo(2 / 1001, 10);
    expect(facts?.test).toContain('bootstrap');
    expect(measureMetric(perplexity, before, 7)).toEqual({ value: facts?.before, interval: facts?.intervalBefore });
  });

  it('says nothing where a value is not a number, and works for one sample', () => {
    expect(compareMetric(perplexity, terms([1, 1]), terms([]), 0)).toBeNull();
    expect(compareMetric(top1, answers([1], [1]), answers([1], [0]), 0)).toMatchObject({
      before: 1,
      after: 0,
      p: 1,
      samples: 1,
    });
    expect(compareMetric(rmse, terms([4, 2, 1]), terms([4, 2, 1]), 0)).toMatchObject({
      before: 2,
      after: 2,
      delta: 0,
      interval: { low: 0, high: 0 },
    });
  });
});

describe('bySubgroup', () => {
  it('shows a group that lost what the mean hides', () => {
    const labels = new Array<number>(200).fill(1);
    const groups = labels.map((_, index) => (index < 180 ? 'many' : 'few'));
    const before = answers(labels, labels);
    const after = answers(
      labels,
      labels.map((label, index) => (index >= 190 ? 0 : label)),
    );
    const facts = bySubgroup(top1, before, after, groups, 0);
    expect(facts.groups.map(({ group, after: value, samples }) => [group, value, samples])).toEqual([
      ['few', 0.5, 20],
      ['many', 1, 180],
    ]);
    expect(facts.gap).toEqual({ before: 0, after: 0.5 });
    expect(
      bySubgroup(
        top1,
        before,
        after,
        labels.map(() => 'one'),
        0,
      ).gap,
    ).toBeNull();
  });
});

describe('the registry', () => {
  it('has every metric once, each with a headline for its task', () => {
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
    expect(
      ['classification', 'perplexity', 'regression', 'detection', 'segmentation'].map(
        (task) => metricsOf(task as 'perplexity')[0]?.name,
      ),
    ).toEqual(['top-1', 'perplexity', 'rmse', 'map', 'mean-iou']);
  });
});
