import { describe, expect, it } from 'vitest';
import type { Label, ObjectClasses } from '../../../../native-workers/lib/batch.ts';
import type { Feeds, HostTensor } from '../../../../native-workers/lib/engine.ts';
import { meanAveragePrecision50 } from '../../../../native-workers/metrics/mean-average-precision.ts';
import { meanIou } from '../../../../native-workers/metrics/mean-iou.ts';
import type { MetricSample } from '../../../../native-workers/metrics/metric.ts';
import { BatchRows } from '../../../../native-workers/metrics/rows.ts';
import { rank } from '../../../../native-workers/metrics/tasks/classification.ts';
import { isCausal } from '../../../../native-workers/metrics/tasks/perplexity.ts';
import { findTask } from '../../../../native-workers/metrics/tasks/registry.ts';

const floats = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: 'float32',
  shape,
  data: Float32Array.from(values),
});
const longs = (shape: readonly number[], values: readonly number[]): HostTensor => ({
  dtype: 'int64',
  shape,
  data: BigInt64Array.from(values, BigInt),
});

interface Asked {
  readonly name: string | null;
  readonly classes: number | null;
  readonly answers: readonly MetricSample[];
}

function ask(
  outputs: Feeds,
  labels: readonly Label[],
  inputs: Feeds = {
    x: floats(
      [labels.length, 1],
      labels.map(() => 0),
    ),
  },
  idLimits = {},
  objectClasses: ObjectClasses | null = null,
): Asked {
  const [rows, inputRows] = [new BatchRows(outputs, labels.length), new BatchRows(inputs, labels.length)];
  const task = findTask({ outputs: rows, inputs: inputRows, labels, further: [], objectClasses, idLimits });
  if (task === null) return { name: null, classes: null, answers: [] };
  const answers = labels.map((label, index) =>
    task.answer(rows, { index, sample: `sample ${index}`, label, inputs: inputRows }),
  );
  return { name: task.name, classes: task.classes, answers };
}

describe('classification', () => {
  it('ranks the classes of the first output of scores', () => {
    const found = ask({ ids: longs([2], [1, 0]), logits: floats([2, 3], [1, 5, 3, 2, 0, 1]) }, [1, 2]);
    expect(found).toEqual({
      name: 'classification',
      classes: 3,
      answers: [
        { label: 1, terms: [1, 2, 0] },
        { label: 2, terms: [0, 2, 1] },
      ],
    });
    expect(ask({ logits: floats([1, 3, 1, 1], [1, 5, 3]) }, [1]).answers[0]?.terms).toEqual([1, 2, 0]);
  });

  it('gives two classes a score, from two numbers or from one', () => {
    expect(ask({ y: floats([1, 2], [1, 4]) }, [1]).answers).toEqual([{ label: 1, terms: [1, 0], score: 3 }]);
    expect(ask({ y: floats([2, 1], [0.25, 0.75]) }, [0, 1]).answers.map(({ terms }) => terms[0])).toEqual([0, 1]);
    // Numbers outside 0..1 are logits, cut at 0.
    expect(ask({ y: floats([3, 1], [-3, 0.25, 2]) }, [0, 1, 1]).answers.map(({ terms }) => terms[0])).toEqual([
      0, 1, 1,
    ]);
  });

  it('names the sample whose label cannot be', () => {
    const outputs = { y: floats([2, 3], [1, 2, 3, 1, 2, 3]) };
    for (const label of [3, -1]) {
      expect(() => ask(outputs, [0, label])).toThrow(
        expect.objectContaining({ code: 'labels-invalid', message: expect.stringContaining('sample 1') }),
      );
    }
  });

  it('has no answer where the model gives no numbers', () => {
    expect(ask({ y: floats([1, 2], [Number.NaN, 1]) }, [1]).answers).toEqual([{ label: 1, terms: [] }]);
    expect(rank(Float32Array.of(1, Number.POSITIVE_INFINITY), 5)).toEqual([]);
  });

  it('ranks equal scores by index and gives as many as asked', () => {
    expect(rank(Float32Array.of(2, 2, 2), 2)).toEqual([0, 1]);
    expect(rank(Float32Array.of(1, 9, 3, 9, 5, 7, 2), 5)).toEqual([1, 3, 5, 4, 2]);
  });
});

describe('perplexity', () => {
  const uniform = { logits: floats([1, 3, 4], new Array(12).fill(0)) };

  it('is that of each next token, masked ones left out', () => {
    const found = ask(uniform, [null], { input_ids: longs([1, 3], [1, 2, 3]) }, { input_ids: 4 });
    expect(found.name).toBe('perplexity');
    expect(found.answers[0]?.terms).toEqual([expect.closeTo(2 * Math.log(4), 10), 2]);
    const masked = ask(
      uniform,
      [null],
      { input_ids: longs([1, 3], [1, 2, 0]), attention_mask: longs([1, 3], [1, 1, 0]) },
      { input_ids: 4 },
    );
    expect(masked.answers[0]?.terms).toEqual([expect.closeTo(Math.log(4), 10), 1]);
    // The scores of position 0 are for token 1.
    const sure = { logits: floats([1, 2, 4], [0, 0, 9, 0, 9, 9, 9, 9]) };
    expect(ask(sure, [null], { input_ids: longs([1, 2], [0, 2]) }, { input_ids: 4 }).answers[0]?.terms[0]).toBeCloseTo(
      Math.log1p(3 * Math.exp(-9)),
      10,
    );
  });

  it('is not asked of scores that are fewer than the tokens', () => {
    expect(ask(uniform, [null], { input_ids: longs([1, 3], [1, 2, 3]) }, { input_ids: 5 }).name).toBeNull();
  });

  it('is not asked of a model that looks ahead', () => {
    const scores = Float32Array.of(1, 2, 3, 4, 5, 6);
    expect(isCausal(scores, Float32Array.of(1, 2, 9, 9, 9, 9), 3, 1)).toBe(true);
    expect(isCausal(scores, Float32Array.of(1, 2.5, 3, 4, 9, 9), 3, 2)).toBe(false);
  });
});

describe('regression', () => {
  it('sums the errors of one value or several', () => {
    expect(ask({ y: floats([2, 1], [1, 5]) }, [0.5, 3])).toMatchObject({
      name: 'regression',
      answers: [
        { label: 0.5, terms: [0.25, 0.5, 1] },
        { label: 3, terms: [4, 2, 1] },
      ],
    });
    expect(ask({ y: floats([1, 2], [1, 5]) }, [[0, 3]]).answers).toEqual([{ label: null, terms: [5, 3, 2] }]);
  });

  it('is no task for labels of another form', () => {
    expect(ask({ y: floats([1, 3], [1, 2, 3]) }, [[1, 2]]).name).toBeNull();
    expect(() => ask({ y: floats([2, 1], [1, 5]) }, [0.5, Number.NaN])).toThrow(
      expect.objectContaining({ code: 'labels-invalid' }),
    );
  });
});

describe('segmentation', () => {
  const mask = (height: number, width: number, ...classes: number[]): Label => ({
    kind: 'mask',
    height,
    width,
    classes: Uint8Array.from(classes),
  });

  it('counts the pixels of each class, but not those left out', () => {
    // Answers 0 1 / 1 1 against 0 1 / 0 (255).
    const outputs = { y: floats([1, 2, 2, 2], [5, 0, 0, 0, 0, 5, 5, 5]) };
    const { name, answers } = ask(outputs, [mask(2, 2, 0, 1, 0, 255)]);
    expect(name).toBe('segmentation');
    expect(answers[0]?.terms).toEqual([0, 1, 2, 1, 1, 2]);
    expect(meanIou.value(answers)).toBe(0.5);
  });

  it('samples a mask of another size, and reads class maps and single planes', () => {
    const large = mask(4, 4, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1);
    expect(meanIou.value(ask({ y: longs([1, 2, 2], [0, 1, 0, 1]) }, [large]).answers)).toBe(1);
    expect(meanIou.value(ask({ y: floats([1, 1, 2, 2], [-2, 3, -1, 0.5]) }, [large]).answers)).toBe(1);
    expect(meanIou.value(ask({ y: floats([1, 1, 2, 2], [0.2, 0.6, 0.4, 0.9]) }, [large]).answers)).toBe(1);
  });

  it('names the sample whose mask has a class that the model has not', () => {
    expect(() => ask({ y: floats([1, 2, 2, 2], [5, 0, 0, 0, 0, 5, 5, 5]) }, [mask(1, 1, 2)])).toThrow(
      expect.objectContaining({ code: 'labels-invalid', message: expect.stringContaining('sample 0') }),
    );
  });
});

const THREE: ObjectClasses = { ids: [1, 2, 3], numbers: null };

describe('detection', () => {
  const label: Label = {
    kind: 'boxes',
    boxes: [
      { class: 0, box: [0.1, 0.1, 0.5, 0.5] },
      { class: 1, box: [0.6, 0.6, 0.9, 0.9] },
    ],
  };
  const input = { image: floats([1, 3, 10, 20], new Array(600).fill(0)) };
  const ap = (outputs: Feeds): number => {
    const { name, answers } = ask(outputs, [label], input);
    expect(name).toBe('detection');
    return meanAveragePrecision50.value(answers);
  };

  it('reads boxes and scores with a background class, and drops overlaps', () => {
    const boxes = floats([1, 3, 4], [0.1, 0.1, 0.5, 0.5, 0.12, 0.1, 0.5, 0.5, 0.6, 0.6, 0.9, 0.9]);
    const scores = floats([1, 3, 3], [0.1, 0.9, 0, 0.1, 0.8, 0, 0.2, 0, 0.7]);
    const { answers } = ask({ scores, boxes }, [label], input);
    expect(answers[0]?.terms.filter((_, index) => index >= 3).length).toBe(6);
    expect(ap({ scores, boxes })).toBeCloseTo(1, 12);
  });

  it('takes no class for the background because the first batch lacks the last one', () => {
    const boxes = floats([1, 2, 4], [0.1, 0.1, 0.5, 0.5, 0.6, 0.6, 0.9, 0.9]);
    const scores = floats([1, 2, 3], [0.9, 0, 0, 0, 0.8, 0]);
    const known = ask({ scores, boxes }, [label], input, {}, THREE);
    expect(meanAveragePrecision50.value(known.answers)).toBeCloseTo(1, 12);
    const withBackground = floats([1, 2, 4], [0.1, 0.9, 0, 0, 0.2, 0, 0.8, 0]);
    const shifted = ask({ scores: withBackground, boxes }, [label], input, {}, THREE);
    expect(meanAveragePrecision50.value(shifted.answers)).toBeCloseTo(1, 12);
  });

  it('reads boxes with scores and classes, pixels and y before x included', () => {
    const labels = longs([1, 2], [0, 1]);
    const scores = floats([1, 2], [0.9, 0.8]);
    // The picture is 20 wide and 10 high.
    const pixels = floats([1, 2, 4], [2, 1, 10, 5, 12, 6, 18, 9]);
    expect(ap({ boxes: pixels, labels, scores })).toBeCloseTo(1, 12);
    const turned = floats([1, 2, 4], [0.1, 0.1, 0.5, 0.5, 0.6, 0.6, 0.9, 0.9]);
    expect(
      ap({ detection_boxes: turned, detection_classes: floats([1, 2], [0, 1]), detection_scores: scores }),
    ).toBeCloseTo(1, 12);
    expect(ap({ boxes: pixels, labels: longs([1, 2], [1, 0]), scores })).toBe(0);
  });

  it('takes no list of detections for scores of classes where there are no labels', () => {
    const outputs = { boxes: floats([1, 2, 4], new Array(8).fill(0.5)), scores: floats([1, 2], [0.9, 0.8]) };
    expect(ask(outputs, [null], input).name).toBeNull();
  });

  it('reads DETR and YOLO heads', () => {
    const detr = {
      pred_boxes: floats([1, 2, 4], [0.3, 0.3, 0.4, 0.4, 0.75, 0.75, 0.3, 0.3]),
      logits: floats([1, 2, 3], [9, 0, 0, 0, 9, 0]),
    };
    expect(ap(detr)).toBeCloseTo(1, 12);
    // [4 + classes, candidates], centres and sizes in pixels.
    const eight = [
      ...[6, 15, 0, 0, 0, 0, 0],
      ...[3, 7.5, 0, 0, 0, 0, 0],
      ...[8, 6, 0, 0, 0, 0, 0],
      ...[4, 3, 0, 0, 0, 0, 0],
      ...[0.9, 0, 0, 0, 0, 0, 0],
      ...[0, 0.8, 0, 0, 0, 0, 0],
    ];
    expect(ap({ output0: floats([1, 6, 7], eight) })).toBeCloseTo(1, 12);
    const shares = eight.map((value, at) => (at < 28 ? value / (Math.floor(at / 7) % 2 === 0 ? 20 : 10) : value));
    expect(ap({ output0: floats([1, 6, 7], shares) })).toBeCloseTo(1, 12);
    const five = [
      [6, 3, 8, 4, 0.9, 1, 0],
      [15, 7.5, 6, 3, 0.8, 0, 1],
      ...Array.from({ length: 8 }, () => [0, 0, 0, 0, 0, 0, 0]),
    ].flat();
    expect(ap({ output0: floats([1, 10, 7], five) })).toBeCloseTo(1, 12);
  });

  it('matches each object once, the surer detection first', () => {
    // The surer one overlaps the object by 0.83, the other is exact.
    const boxes = floats([1, 2, 4], [0.1, 0.1, 0.5, 0.5, 0.1, 0.1, 0.5, 0.432]);
    const { answers } = ask(
      { boxes, scores: floats([1, 2], [0.5, 0.9]), labels: longs([1, 2], [0, 0]) },
      [label],
      input,
    );
    // Two objects and their classes; 0.50 to 0.80 go to the surer detection, what it cannot reach to the other.
    expect(answers[0]?.terms).toEqual([2, 0, 1, 0, 0.9, 0b0001111111, 0, 0.5, 0b1110000000]);
  });
});
