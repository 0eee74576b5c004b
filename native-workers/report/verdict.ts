/** The report in one honest sentence: speed with its interval, size, accuracy, budgets, and what is not known. */
import type { BudgetRow, ReportDocument } from './document.ts';
import {
  formatBytes,
  formatChange,
  formatChangeRange,
  formatDelta,
  formatDeltaRange,
  formatNumber,
  formatPlain,
  formatRange,
  formatRatio,
  formatShare,
  joinWords,
  plural,
} from './format.ts';
import { labelOfMetric, unitOfMetric } from './metric.ts';
import { dataOf } from './outcome.ts';
import type { AccuracySection } from './sections/accuracy.ts';
import type { FidelitySection } from './sections/fidelity.ts';
import type { Sections } from './sections/registry.ts';

type VerdictOfReport = ReportDocument['verdict'];
interface Clause<Answer> {
  readonly answer: Answer;
  readonly words: string;
}

/**
 * Outputs that Hone calls close without labels: the cosine of the worst output, and the share of equal answers. Below
 * them accuracy losses of a point and more are common (a cosine of 0.99 is an SQNR of 17 dB). The share is judged by its
 * interval: a few inputs prove neither that it is below nor that it is above.
 */
const CLOSE = { cosine: 0.99, top1Agreement: 0.95 };

export function buildVerdict(sections: Sections, budgets: readonly BudgetRow[]): VerdictOfReport {
  const [speed, size, accuracy] = [speedOf(sections), sizeOf(sections), accuracyOf(sections)];
  const budget = budgetsOf(budgets);
  if (size.answer === 'not-measured' && speed.answer !== 'faster' && speed.answer !== 'slower') {
    const sentence = `No optimised model was made, so there is nothing to compare${budget.words === '' ? '' : `; ${budget.words}`}.`;
    return { sentence, speed: speed.answer, size: size.answer, accuracy: accuracy.answer, budgets: budget.answer };
  }
  const clauses = [`${speed.words} and ${size.words}`, accuracy.words, budget.words].filter((words) => words !== '');
  return {
    sentence: `The optimised model ${clauses.join('; ')}.`,
    speed: speed.answer,
    size: size.answer,
    accuracy: accuracy.answer,
    budgets: budget.answer,
  };
}

function speedOf({ latency }: Sections): Clause<VerdictOfReport['speed']> {
  if (latency.status === 'failed') return { answer: 'failed', words: 'could not be timed' };
  const pair = dataOf(latency)?.pairs[0];
  if (pair === undefined || pair.ratio === null) return { answer: 'not-measured', words: 'was not timed' };
  const { value, low, high, confidence, verdict, moreRuns } = pair.ratio;
  const sure = `${Math.round(confidence * 100)} % interval`;
  if (verdict === 'faster') {
    // A speed is one over a ratio of times, and the ends of its interval change places.
    const range = `${formatRatio(1 / high)} to ${formatRatio(1 / low)}`;
    return { answer: verdict, words: `runs ${formatRatio(1 / value)} as fast (${sure} ${range})` };
  }
  if (verdict === 'slower') {
    const range = `${formatRatio(low)} to ${formatRatio(high)}`;
    return { answer: verdict, words: `is slower, taking ${formatRatio(value)} as long (${sure} ${range}),` };
  }
  const more = moreRuns === undefined ? '' : `, about ${moreRuns} more runs of each would settle it`;
  const range = formatChangeRange(low, high);
  return { answer: verdict, words: `shows no proven difference in speed (${sure} of the time ${range}${more})` };
}

function sizeOf({ size }: Sections): Clause<VerdictOfReport['size']> {
  const data = dataOf(size);
  if (data === null || data.after === null || data.ratio === null)
    return { answer: 'not-measured', words: 'has no size' };
  const sizes = `${formatBytes(data.before.file)} to ${formatBytes(data.after.file)}`;
  const change = formatChange(data.ratio);
  const percent = change.slice(1);
  // What rounds to no change has no sign.
  if (/^\d/.test(change)) return { answer: 'same', words: 'is as large as before' };
  if (data.ratio < 1) return { answer: 'smaller', words: `is ${percent} smaller (${sizes})` };
  return { answer: 'larger', words: `is ${percent} larger (${sizes})` };
}

function accuracyOf({ accuracy, fidelity }: Sections): Clause<VerdictOfReport['accuracy']> {
  const metric = dataOf(accuracy)?.metrics[0];
  if (metric !== undefined) return { answer: metric.judgement, words: metricWords(metric) };
  const data = dataOf(fidelity);
  if (data === null) return { answer: 'not-measured', words: 'what it did to the answers was not measured' };
  return fidelityClause(data);
}

function metricWords(metric: AccuracySection['metrics'][number]): string {
  const { before, after, delta, interval, judgement, samples } = metric;
  const unit = unitOfMetric(metric);
  const values = `${labelOfMetric(metric)} ${formatNumber(before, unit)} before, ${formatNumber(after, unit)} after`;
  const range = `${formatDelta(delta, unit)}, 95 % interval ${formatDeltaRange(interval, unit)}, ${plural(samples, 'sample')}`;
  const meaning: Record<typeof judgement, string> = {
    better: 'a gain',
    worse: 'a loss',
    inconclusive: 'no proven change',
    same: 'no change',
  };
  return `${values}: ${meaning[judgement]} (${range})`;
}

function fidelityClause({ worst, inputs, samples }: FidelitySection): Clause<VerdictOfReport['accuracy']> {
  const on = `${samples} ${inputs === 'seeded' ? 'random' : 'of your'} ${samples === 1 && inputs === 'seeded' ? 'input' : 'inputs'}`;
  if (worst.notFinite > 0) {
    return { answer: 'far', words: `its outputs hold ${worst.notFinite} values that are not finite, on ${on}` };
  }
  const { cosine, top1Agreement, agreementInterval } = worst;
  const range = agreementInterval === null ? '' : ` (95 % interval ${formatRange(agreementInterval, 'share')})`;
  const parts = [
    ...(cosine === null ? [] : [`cosine ${formatPlain(cosine)}`]),
    ...(top1Agreement === null ? [] : [`same answer on ${formatShare(top1Agreement)}${range}`]),
    on,
  ];
  if (parts.length === 1) return { answer: 'not-measured', words: 'its outputs could not be compared' };
  const answer = closeness(worst);
  const found = `${parts.join(', ')}; accuracy itself was not measured`;
  if (answer === 'inconclusive') {
    return {
      answer,
      words: `its outputs are close to the original's, but too few were compared to tell how often its answer changes: ${found}`,
    };
  }
  return { answer, words: `its outputs are ${answer === 'close' ? 'close to' : 'far from'} the original's: ${found}` };
}

/** `inconclusive`: some answers changed, on too few inputs to tell whether one in twenty does. */
function closeness({
  cosine,
  top1Agreement,
  agreementInterval,
}: FidelitySection['worst']): 'close' | 'far' | 'inconclusive' {
  if ((cosine ?? 1) < CLOSE.cosine || (agreementInterval?.high ?? 1) < CLOSE.top1Agreement) return 'far';
  const isSure = (agreementInterval?.low ?? 1) >= CLOSE.top1Agreement;
  return isSure || top1Agreement === 1 ? 'close' : 'inconclusive';
}

function budgetsOf(rows: readonly BudgetRow[]): Clause<VerdictOfReport['budgets']> {
  if (rows.length === 0) return { answer: 'none', words: '' };
  const missed = rows.filter((row) => row.status === 'missed');
  const unknown = rows.filter((row) => row.status === 'not-measured');
  if (missed.length > 0) {
    const by = missed.map(
      ({ label, margin, unit }) => `${label.toLowerCase()} by ${formatNumber(-(margin ?? 0), unit)}`,
    );
    return { answer: 'missed', words: `it misses the budget for ${joinWords(by)}` };
  }
  if (unknown.length > 0) {
    const labels = unknown.map(({ label }) => label.toLowerCase());
    return { answer: 'not-measured', words: `the budget for ${joinWords(labels)} could not be checked` };
  }
  return { answer: 'met', words: rows.length === 1 ? 'the budget is met' : `all ${rows.length} budgets are met` };
}
