/** Whether the run kept the budgets it was given, and by how much. */
import { type Budgets, budgetsSchema } from '../protocol/request.ts';
import type { BudgetRow } from './document.ts';
import type { ReportInput } from './input.ts';
import { labelOfMetric, lossOf, unitOfMetric } from './metric.ts';
import { dataOf } from './outcome.ts';
import type { Sections } from './sections/registry.ts';

export function buildBudgets(input: ReportInput, sections: Sections): BudgetRow[] {
  const budgets = budgetsOf(input);
  const row = (
    id: BudgetRow['id'],
    label: string,
    unit: BudgetRow['unit'],
    limit: number | undefined,
    actual: number | null,
  ): BudgetRow[] => {
    if (limit === undefined) return [];
    const margin = actual === null ? null : limit - actual;
    return [{ id, label, unit, limit, actual, margin, status: statusOf(margin, limit) }];
  };
  const { maxDrop, maxMs, maxMb } = budgets;
  const loss = lossFor(sections);
  const p50 = dataOf(sections.latency)?.pairs[0]?.after.stats?.p50 ?? null;
  const file = dataOf(sections.size)?.after?.file ?? null;
  return [
    ...row('maxDrop', loss.label, loss.unit, maxDrop === undefined ? undefined : maxDrop / 100, loss.share),
    ...row('maxMs', 'Median latency', 'ms', maxMs, p50),
    ...row('maxMb', 'Size on disk', 'bytes', maxMb === undefined ? undefined : maxMb * 1e6, file),
  ];
}

function budgetsOf({ manifest }: ReportInput): Budgets {
  const parsed = budgetsSchema.safeParse(manifest.request['budgets']);
  return parsed.success ? parsed.data : {};
}

interface Loss {
  readonly label: string;
  readonly unit: BudgetRow['unit'];
  readonly share: number | null;
}

/** Of the first metric; without labels, of top-1 agreement: the share of answers that are not those of the original. */
function lossFor(sections: Sections): Loss {
  const metric = dataOf(sections.accuracy)?.metrics[0];
  if (metric !== undefined) {
    const unit = unitOfMetric(metric) === 'share' ? 'points' : 'share';
    return { label: `Drop of ${labelOfMetric(metric)}`, unit, share: lossOf(metric) };
  }
  const agreement = dataOf(sections.fidelity)?.worst.top1Agreement ?? null;
  return { label: 'Answers unlike the original', unit: 'share', share: agreement === null ? null : 1 - agreement };
}

/** 0.8625 - 0.8605 is a little more than 0.002 in floating point, and no budget is missed by that. */
const ROUNDING = 1e-9;

function statusOf(margin: number | null, limit: number): BudgetRow['status'] {
  if (margin === null) return 'not-measured';
  return margin >= -ROUNDING * Math.max(1, limit) ? 'met' : 'missed';
}
