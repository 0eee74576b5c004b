/** The task's metrics on labelled data with their intervals and paired tests, and the samples whose answer changed. */
import { z } from 'zod';
import { classRows, confusionMatrix } from '../../metrics/confusion.ts';
import type { EvaluateFacts, MetricFacts } from '../../protocol/facts.ts';
import { evaluateFactsSchema, intervalSchema, metricFactsSchema } from '../../protocol/facts.ts';
import { absenceOf } from '../input.ts';
import { measured, notApplicable, notMeasured } from '../outcome.ts';
import { defineSection } from '../section.ts';

/** As `metrics/subgroups.ts` puts it into the details of the evaluation. */
const subgroupsSchema = z.object({
  metric: z.string(),
  groups: z.array(
    z.object({
      group: z.string(),
      before: z.number(),
      after: z.number(),
      delta: z.number(),
      /** 95 % interval of the paired difference, and the probability of the paired test; null where there is none. */
      interval: intervalSchema,
      p: z.number().nullable(),
      samples: z.number(),
    }),
  ),
  gap: z.object({ before: z.number(), after: z.number() }).nullable(),
});

export const accuracySchema = z.strictObject({
  task: evaluateFactsSchema.shape.task,
  dataset: evaluateFactsSchema.shape.dataset,
  metrics: z.array(
    metricFactsSchema.extend({
      /** What the 95 % interval of the paired difference allows to say; `same`: it is exactly zero on both ends. */
      judgement: z.enum(['better', 'worse', 'inconclusive', 'same']),
    }),
  ),
  flips: z.strictObject({
    /** Samples with an answer of both models. */
    compared: z.number(),
    /** Wrong now, right before; right now, wrong before; changed otherwise. */
    broken: z.number(),
    fixed: z.number(),
    changed: z.number(),
    /** The broken first; at most 200. Answers as class names where they are known. */
    rows: z.array(
      z.strictObject({
        sample: z.string(),
        kind: z.enum(['broken', 'fixed', 'changed']),
        label: z.string().nullable(),
        before: z.string(),
        after: z.string(),
      }),
    ),
  }),
  /** By class, those that lost the most recall first, else in the order of the classes; null for tasks without classes. Shares. */
  byClass: z
    .array(
      z.strictObject({
        label: z.string(),
        samples: z.number(),
        recall: z.strictObject({ before: z.number(), after: z.number() }),
        precision: z.strictObject({ before: z.number(), after: z.number() }),
        f1: z.strictObject({ before: z.number(), after: z.number() }),
      }),
    )
    .nullable(),
  /**
   * Samples by label (row) and answer (column), of all classes that are one of either. Null for tasks without classes, and with
   * more than 50, where nobody could read it.
   */
  confusion: z
    .strictObject({
      classes: z.array(z.string()),
      before: z.array(z.array(z.number())),
      after: z.array(z.array(z.number())),
    })
    .nullable(),
  /** The pairs of label and wrong answer with the most samples after, at most 20 of `total`; null for tasks without classes. */
  confused: z
    .strictObject({
      pairs: z.array(z.strictObject({ label: z.string(), answer: z.string(), before: z.number(), after: z.number() })),
      total: z.number(),
    })
    .nullable(),
  /** Intersection over union by class, those that lost the most first; null but for segmentation. */
  iouByClass: z.array(z.strictObject({ label: z.string(), before: z.number(), after: z.number() })).nullable(),
  /** The first metric by subgroup, where the data names groups. */
  subgroups: subgroupsSchema.nullable(),
  /** Samples that could not be read. */
  skipped: z.array(z.strictObject({ sample: z.string(), reason: z.string() })),
});
export type AccuracySection = z.infer<typeof accuracySchema>;

const MOST_FLIPS = 200;
const MOST_CONFUSED = 50;
const MOST_PAIRS = 20;

export const accuracy = defineSection(accuracySchema, (input) => {
  const { evaluate } = input.facts;
  if (evaluate === null) return absenceOf('evaluate', input);
  if (evaluate.dataset === null) return notMeasured('No evaluation data was given.');
  if (evaluate.metrics.length === 0 && evaluate.predictions.length === 0) {
    return notApplicable('The evaluation data has no labels, so there is no accuracy; see the fidelity instead.');
  }
  return measured({
    task: evaluate.task,
    dataset: evaluate.dataset,
    metrics: evaluate.metrics.map((metric) => ({ ...metric, judgement: judge(metric) })),
    flips: flipsOf(evaluate),
    byClass: byClassOf(evaluate),
    confusion: confusionOf(evaluate),
    confused: confusedPairs(evaluate),
    iouByClass: iouOf(evaluate),
    subgroups: subgroupsSchema.safeParse(evaluate.details?.['subgroups']).data ?? null,
    skipped: evaluate.skipped,
  });
});

/** By the 95 % interval of the paired difference: it must lie on one side of zero to say anything. */
function judge({ better, interval, delta }: MetricFacts): AccuracySection['metrics'][number]['judgement'] {
  if (interval.low > 0) return better === 'higher' ? 'better' : 'worse';
  if (interval.high < 0) return better === 'higher' ? 'worse' : 'better';
  return delta === 0 && interval.low === 0 && interval.high === 0 ? 'same' : 'inconclusive';
}

type Flip = AccuracySection['flips']['rows'][number];

/** Computed from the answers, not taken from the evaluation, so that `verify` covers it. */
function byClassOf({ task, predictions, labels }: EvaluateFacts): AccuracySection['byClass'] {
  const judged = predictions.filter(({ label }) => label !== null);
  if (task !== 'classification' || judged.length === 0) return null;
  const rowsOf = (side: 'before' | 'after') => classRows(judged.map((row) => ({ label: row.label, terms: row[side] })));
  const after = new Map(rowsOf('after').map((row) => [row.class, row]));
  return rowsOf('before')
    .flatMap((was) => {
      const is = after.get(was.class);
      if (is === undefined) return [];
      return [
        {
          label: labels?.[was.class] ?? `class ${was.class}`,
          samples: was.support,
          recall: { before: was.recall, after: is.recall },
          precision: { before: was.precision, after: is.precision },
          f1: { before: was.f1, after: is.f1 },
        },
      ];
    })
    .sort((a, b) => a.recall.after - a.recall.before - (b.recall.after - b.recall.before));
}

/** From the answers too. Classes that are no label and no answer are left out. */
function confusionOf({ task, predictions, labels }: EvaluateFacts): AccuracySection['confusion'] {
  const judged = predictions.filter(({ label }) => label !== null);
  if (task !== 'classification' || judged.length === 0) return null;
  const seen = new Set(
    judged.flatMap(({ label, before: [was], after: [is] }) => [label, was, is].filter((index) => index != null)),
  );
  const classes = [...seen].sort((a, b) => a - b);
  if (classes.length > MOST_CONFUSED) return null;
  const place = new Map(classes.map((index, at) => [index, at]));
  const placed = (index: number | null | undefined): number[] => (index == null ? [] : [place.get(index) ?? 0]);
  const matrixOf = (side: 'before' | 'after'): number[][] =>
    confusionMatrix(
      judged.map((row) => ({ label: placed(row.label)[0] ?? null, terms: placed(row[side][0]) })),
      classes.length,
    );
  return {
    classes: classes.map((index) => labels?.[index] ?? `class ${index}`),
    before: matrixOf('before'),
    after: matrixOf('after'),
  };
}

function confusedPairs({ task, predictions, labels }: EvaluateFacts): AccuracySection['confused'] {
  const judged = predictions.filter(({ label }) => label !== null);
  if (task !== 'classification' || judged.length === 0) return null;
  const nameOf = (index: number): string => labels?.[index] ?? `class ${index}`;
  const pairs = new Map<string, { label: string; answer: string; before: number; after: number }>();
  for (const { label, ...answers } of judged) {
    for (const side of ['before', 'after'] as const) {
      const answer = answers[side][0];
      if (label === null || answer === undefined || answer === label) continue;
      const key = `${label} ${answer}`;
      const pair = pairs.get(key) ?? { label: nameOf(label), answer: nameOf(answer), before: 0, after: 0 };
      pair[side]++;
      pairs.set(key, pair);
    }
  }
  const sorted = [...pairs.values()].sort(
    (a, b) =>
      b.after - a.after || a.before - b.before || (`${a.label} ${a.answer}` < `${b.label} ${b.answer}` ? -1 : 1),
  );
  return { pairs: sorted.slice(0, MOST_PAIRS), total: sorted.length };
}

/** As `metrics/evaluate.ts` puts it into the details of the evaluation. */
const iouSchema = z.array(z.object({ class: z.number(), iou: z.number() }));

function iouOf({ details, labels }: EvaluateFacts): AccuracySection['iouByClass'] {
  const found = z.object({ before: iouSchema, after: iouSchema }).safeParse(details?.['iou']).data;
  if (found === undefined) return null;
  const after = new Map(found.after.map((row) => [row.class, row.iou]));
  return found.before
    .flatMap((row) => {
      const is = after.get(row.class);
      return is === undefined
        ? []
        : [{ label: labels?.[row.class] ?? `class ${row.class}`, before: row.iou, after: is }];
    })
    .sort((a, b) => a.after - a.before - (b.after - b.before));
}

/** Only classes can flip: other answers are numbers that nearly always differ a little. */
function flipsOf({ task, predictions, labels }: EvaluateFacts): AccuracySection['flips'] {
  if (task !== 'classification') return { compared: 0, broken: 0, fixed: 0, changed: 0, rows: [] };
  const nameOf = (index: number | undefined): string =>
    index === undefined ? 'no answer' : (labels?.[index] ?? `class ${index}`);
  const flips = predictions.flatMap((prediction): Flip[] => {
    const [before, after] = [prediction.before[0], prediction.after[0]];
    if (before === after) return [];
    const kind = prediction.label === before ? 'broken' : prediction.label === after ? 'fixed' : 'changed';
    const label = prediction.label === null ? null : nameOf(prediction.label);
    return [{ sample: prediction.sample, kind, label, before: nameOf(before), after: nameOf(after) }];
  });
  const ofKind = (kind: Flip['kind']): Flip[] => flips.filter((flip) => flip.kind === kind);
  const [broken, fixed, changed] = [ofKind('broken'), ofKind('fixed'), ofKind('changed')];
  return {
    compared: predictions.length,
    broken: broken.length,
    fixed: fixed.length,
    changed: changed.length,
    rows: [...broken, ...fixed, ...changed].slice(0, MOST_FLIPS),
  };
}
