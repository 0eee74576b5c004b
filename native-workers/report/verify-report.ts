/** Whether one report, in memory, says what the facts inside it say. */
import { recomputeMetrics } from '../metrics/evaluate.ts';
import { buildReport } from './build.ts';
import { failedCheck, missingCheck, passedCheck, type VerifyCheck } from './check.ts';
import { differences } from './compare.ts';
import { digestOf } from './digest.ts';
import type { ReportDocument } from './document.ts';
import { renderHtml } from './html.ts';
import type { OpenedReport } from './read.ts';

/** A report by itself: the models that it names are elsewhere, so what is in the file is checked. */
export function checkReport({ document, assets, text }: OpenedReport, name: string): VerifyCheck[] {
  const checks = [...digestChecks(document, name), ...numberChecks(document, name), ...evidenceChecks(document, name)];
  if (assets === null) return checks;
  const same = text === renderHtml(document, assets);
  return [
    ...checks,
    same
      ? passedCheck(
          `${name}: page`,
          'The page is what the document in it renders to; its policy holds the hashes of its script and style.',
        )
      : failedCheck(`${name}: page`, 'The page is not what the document in it renders to.'),
  ];
}

function digestChecks(document: ReportDocument, name: string): VerifyCheck[] {
  const found = digestOf(document);
  return [
    found === document.digest
      ? passedCheck(`${name}: digest`, found)
      : failedCheck(
          `${name}: digest`,
          `The content has the digest ${found}, but the report states ${document.digest}.`,
        ),
  ];
}

/** The heart: everything but the evidence is computed again. */
function numberChecks(document: ReportDocument, name: string): VerifyCheck[] {
  const { manifest, facts } = document.evidence;
  const { digest: _again, ...expected } = buildReport(manifest, facts);
  const { digest: _stated, ...found } = document;
  const different = differences(asJson(expected), asJson(found));
  const samples = (facts.benchmark?.variants ?? []).reduce((sum, { blocks }) => sum + blocks.flat().length, 0);
  return [
    different.length === 0
      ? passedCheck(
          `${name}: numbers`,
          `Computed again from ${samples} run times and the facts of the stages, all are equal.`,
        )
      : failedCheck(`${name}: numbers`, `Computed again, they differ. ${different.join('; ')}`),
    ...metricChecks(document, name),
  ];
}

/** Metrics, their intervals and tests come from the evaluation, so they are computed again from the answers that it kept. */
function metricChecks({ evidence }: ReportDocument, name: string): VerifyCheck[] {
  const { evaluate } = evidence.facts;
  if (evaluate === null) return [];
  const again = recomputeMetrics(evaluate, evidence.manifest.seed);
  return evaluate.metrics.map((metric) => {
    const check = `${name}: ${metric.name}`;
    const expected = again.find((other) => other.name === metric.name);
    if (expected === undefined) return failedCheck(check, 'The answers in the report do not give this metric.');
    const different = differences(asJson(expected), metric);
    return different.length === 0
      ? passedCheck(check, `Computed again from the answers of both models to ${evaluate.predictions.length} samples.`)
      : failedCheck(check, `Computed again from the answers, it differs. ${different.join('; ')}`);
  });
}

/** A stage that is done must have left its facts in the report. */
function evidenceChecks({ evidence, stages }: ReportDocument, name: string): VerifyCheck[] {
  return stages.flatMap((stage) => {
    if (stage.status !== 'done' || stage.name === 'report' || evidence.facts[stage.name] !== null) return [];
    return [
      missingCheck(`${name}: ${stage.name}`, `The ${stage.name} stage was done, but its facts are not in the report.`),
    ];
  });
}

/** JSON's view of a value: nothing undefined, no negative zero. */
function asJson(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}
