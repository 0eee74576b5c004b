/** What a reader must know before relying on a number of the report. Serious first. */
import type { BudgetRow, Warning } from './document.ts';
import { formatChange, formatCount, formatDelta, formatDeltaRange, formatShare, joinWords, plural } from './format.ts';
import type { ReportInput } from './input.ts';
import { unitOfMetric } from './metric.ts';
import { dataOf } from './outcome.ts';
import type { AccuracySection } from './sections/accuracy.ts';
import type { PassesSection } from './sections/passes.ts';
import type { Sections } from './sections/registry.ts';

/** Change of the machine's speed during the benchmark that is worth a word, and one that spoils absolute times. */
const DRIFT = { caution: 0.05, serious: 0.2 };
/** Fewer labelled samples than this leave intervals of several points; fewer timed runs leave the tail unknown. */
const FEW = { samples: 200, runs: 100, calibration: 20 };

const SEVERITIES: readonly Warning['severity'][] = ['serious', 'caution', 'note'];

export function buildWarnings(input: ReportInput, sections: Sections, budgets: readonly BudgetRow[]): Warning[] {
  const found = [
    ...stageWarnings(input),
    ...passWarnings(sections, input),
    ...fidelityWarnings(sections),
    ...saturationWarnings(sections),
    ...accuracyWarnings(sections),
    ...evaluationNotes(input),
    ...budgetWarnings(budgets),
    ...packageWarnings(sections),
    ...latencyWarnings(sections),
    ...runtimeWarnings(input),
    ...machineWarnings(sections),
  ];
  return SEVERITIES.flatMap((severity) => found.filter((warning) => warning.severity === severity));
}

const serious = (code: string, message: string): Warning => ({ code, severity: 'serious', message });
const caution = (code: string, message: string): Warning => ({ code, severity: 'caution', message });
const note = (code: string, message: string): Warning => ({ code, severity: 'note', message });

function stageWarnings({ manifest }: ReportInput): Warning[] {
  return manifest.stages.flatMap(({ name, status, error }): Warning[] => {
    if (status === 'failed')
      return [serious('stage-failed', `The ${name} stage failed: ${error?.message ?? 'no reason was kept.'}`)];
    if (status === 'cancelled') return [serious('stage-cancelled', `The ${name} stage was cancelled.`)];
    if (status === 'pending' || status === 'running')
      return [serious('stage-missing', `The ${name} stage did not run to its end.`)];
    return [];
  });
}

function passWarnings(sections: Sections, { facts }: ReportInput): Warning[] {
  const rows = dataOf(sections.passes)?.rows ?? [];
  const lossy = rows.filter((row) => row.lossy);
  const fusion = dataOf(sections.fusion)?.expected ?? [];
  return [
    ...rows.flatMap((row) =>
      row.calibration?.random === true && row.status === 'changed'
        ? [
            serious(
              'random-calibration',
              `${row.title} was calibrated with random inputs, not with your data: its ranges, and so the accuracy, are not those of real use.`,
            ),
          ]
        : [],
    ),
    ...calibrationWarnings(rows, new Set(facts.evaluate?.notes?.map(({ message }) => message))),
    ...rows.flatMap((row) =>
      row.status === 'failed'
        ? [
            serious(
              'pass-failed',
              `${row.title} failed and was left out: ${row.error?.message ?? row.reason ?? 'no reason was kept.'}`,
            ),
          ]
        : [],
    ),
    ...rows.flatMap((row) =>
      row.status === 'skipped'
        ? [note('pass-skipped', `${row.title} was skipped: ${row.reason ?? 'no reason was kept.'}`)]
        : [],
    ),
    ...rows.flatMap(({ title, notes }) =>
      notes.flatMap(({ message, caution: isCaution }) =>
        isCaution === true ? [caution('pass-note', `${title}: ${message}`)] : [],
      ),
    ),
    // One of several that found nothing to do is as it should be; when none found any, the model is not what was asked for.
    ...(lossy.some(({ status }) => status === 'changed') ? [] : lossy).flatMap(({ status, title, reason }) =>
      status === 'unchanged'
        ? [caution('pass-unchanged', `${title} left the model as it was: ${reason ?? 'no reason was kept.'}`)]
        : [],
    ),
    ...fusion.flatMap(({ kernel, expected, found }) =>
      found < expected
        ? [
            caution(
              'unfused',
              `The engine made ${found} of the ${expected} expected ${kernel} kernels: ${plural(expected - found, 'node')} ${expected - found === 1 ? 'runs' : 'run'} unfused.`,
            ),
          ]
        : [],
    ),
  ];
}

/** Of the data that ranges come from: passes read the same, so each remark stands once; `said`: what the evaluation says already. */
function calibrationWarnings(rows: PassesSection['rows'], said: ReadonlySet<string>): Warning[] {
  const found = rows.flatMap(({ calibration, status }): Warning[] => {
    if (calibration === undefined || calibration.random) return [];
    const { samples, skipped, constant = [], notes = [] } = calibration;
    return [
      ...(constant.length > 0
        ? [
            serious(
              'calibration-constant',
              `The calibration data says nothing: ${joinWords(constant)} ${constant.length === 1 ? 'holds' : 'hold'} one and the same number in all samples.`,
            ),
          ]
        : []),
      ...(samples < FEW.calibration && status === 'changed'
        ? [
            caution(
              'few-calibration',
              `Ranges rest on ${plural(samples, 'calibration sample')}: what is rare in the data was hardly seen. A hundred or more are better.`,
            ),
          ]
        : []),
      ...(skipped === undefined
        ? []
        : [
            caution(
              'calibration-skipped',
              `${plural(skipped.count, 'calibration sample')} could not be used and ${skipped.count === 1 ? 'was' : 'were'} left out; the section on passes lists them.`,
            ),
          ]),
      ...notes.flatMap(({ code, message }) => (said.has(message) ? [] : [note(code, `Calibration data: ${message}`)])),
    ];
  });
  return found.filter(({ message }, index) => found.findIndex((other) => other.message === message) === index);
}

function fidelityWarnings(sections: Sections): Warning[] {
  const fidelity = dataOf(sections.fidelity);
  if (fidelity === null) return [];
  return [
    ...(fidelity.worst.notFinite > 0
      ? [
          serious(
            'not-finite',
            `The optimised model gives ${plural(fidelity.worst.notFinite, 'value')} that ${fidelity.worst.notFinite === 1 ? 'is' : 'are'} NaN or infinite where the original gives numbers.`,
          ),
        ]
      : []),
    ...(fidelity.inputs === 'seeded'
      ? [caution('seeded-inputs', 'Fidelity was measured on random inputs: real inputs may fare better or worse.')]
      : []),
  ];
}

/** Only where the accuracy of this report does not hold the loss, or was not measured with it. */
function saturationWarnings(sections: Sections): Warning[] {
  const saturation = dataOf(sections.saturation);
  if (saturation === null || saturation.verdict !== 'large' || saturation.machine === 'affected') return [];
  const { agreement, samples } = saturation;
  const lost =
    agreement === null || agreement.share === 1
      ? 'the outputs change'
      : `${formatShare(1 - agreement.share)} of the answers change`;
  return [
    caution(
      'saturation',
      `On x86 processors without VNNI sums are cut off, and ${lost} (emulated on ${plural(samples, 'sample')}): see the section on them.`,
    ),
  ];
}

function accuracyWarnings(sections: Sections): Warning[] {
  const accuracy = dataOf(sections.accuracy);
  if (accuracy === null) {
    if (sections.fidelity.status !== 'measured') return [];
    return [note('no-labels', 'No labelled data was given: accuracy is not known, only fidelity to the original.')];
  }
  const samples = accuracy.dataset?.samples ?? 0;
  const skipped = accuracy.skipped.length;
  return [
    ...(samples < FEW.samples && accuracy.metrics.length > 0
      ? [
          caution(
            'few-samples',
            `Accuracy rests on ${plural(samples, 'sample')}: differences of a few points cannot be seen.`,
          ),
        ]
      : []),
    ...groupWarnings(accuracy),
    ...(skipped > 0
      ? [
          caution(
            'samples-skipped',
            `${plural(skipped, 'sample')} could not be read and ${skipped === 1 ? 'was' : 'were'} left out.`,
          ),
        ]
      : []),
  ];
}

/** Groups that lost for sure: tests of many groups find something by chance, so that each must be the surer (Bonferroni). */
function groupWarnings({ subgroups, metrics }: AccuracySection): Warning[] {
  if (subgroups === null) return [];
  const { metric, groups } = subgroups;
  const facts = metrics.find(({ name }) => name === metric);
  if (facts === undefined) return [];
  const unit = unitOfMetric(facts);
  return groups.flatMap(({ group, delta, interval, p }) => {
    const isWorse = facts.better === 'higher' ? delta < 0 : delta > 0;
    if (!isWorse || p === null || p >= 0.05 / groups.length) return [];
    return [
      caution(
        'group-harmed',
        `The group ${group} got worse: ${metric} ${formatDelta(delta, unit)} (95 % interval ${formatDeltaRange(interval, unit)}), over all ${formatDelta(facts.delta, unit)}.`,
      ),
    ];
  });
}

/** What the evaluation assumed or found. Comparing on what calibration has seen flatters; the rest is good to know. */
function evaluationNotes({ facts }: ReportInput): Warning[] {
  return (facts.evaluate?.notes ?? []).map(({ code, message }) =>
    code === 'compared-on-calibration' ? caution(code, message) : note(code, message),
  );
}

function budgetWarnings(budgets: readonly BudgetRow[]): Warning[] {
  const unknown = budgets.filter((row) => row.status === 'not-measured').map((row) => row.label.toLowerCase());
  return unknown.length === 0
    ? []
    : [serious('budget-not-measured', `The budget for ${joinWords(unknown)} could not be checked.`)];
}

/** An artifact that is not there or not right must not be shipped; one that nobody ran may be. */
function packageWarnings(sections: Sections): Warning[] {
  const { artifacts, sizes } = dataOf(sections.packages) ?? { artifacts: [], sizes: [] };
  return [
    ...artifacts.flatMap(({ target, status, error, verified }): Warning[] => {
      if (status !== 'made')
        return [
          serious(
            'package-failed',
            `The package for ${target} was not made: ${error?.message ?? 'it cannot express the model.'}`,
          ),
        ];
      if (verified?.status === 'failed')
        return [
          serious(
            'package-differs',
            `The package for ${target} gives other results on ${verified.runtime} than the model it was made from.`,
          ),
        ];
      if (verified?.status === 'refused')
        return [
          serious(
            'package-refused',
            `${verified.runtime} refused the package for ${target}: ${verified.reason ?? 'no reason was kept.'}`,
          ),
        ];
      if (verified?.status !== 'passed')
        return [
          caution(
            'package-not-run',
            `The package for ${target} was not run: ${verified?.reason ?? 'there is no runtime for it here.'}`,
          ),
        ];
      return [];
    }),
    ...Object.entries(
      Object.groupBy(
        sizes.filter(({ fits }) => !fits),
        ({ profile }) => profile,
      ),
    ).map(([profile, rows = []]): Warning => {
      const targets = [...new Set(rows.map(({ target }) => target))];
      const what = targets.length === 1 ? 'package for' : 'packages for';
      const are = targets.length === 1 ? 'is' : 'are';
      return caution('package-too-large', `The ${what} ${joinWords(targets)} ${are} larger than ${profile} allows.`);
    }),
  ];
}

function latencyWarnings(sections: Sections): Warning[] {
  const pair = dataOf(sections.latency)?.pairs[0];
  const runs = Math.min(
    pair?.before.stats?.count ?? Number.POSITIVE_INFINITY,
    pair?.after.stats?.count ?? Number.POSITIVE_INFINITY,
  );
  const failures = (dataOf(sections.latency)?.pairs ?? []).flatMap((entry) =>
    [entry.before, entry.after].flatMap((side) =>
      side.error === undefined
        ? []
        : [
            serious(
              'variant-failed',
              `${side.label} on ${entry.provider} could not be benchmarked: ${side.error.message}`,
            ),
          ],
    ),
  );
  return [
    ...failures,
    ...(runs < FEW.runs
      ? [
          caution(
            'few-runs',
            `Only ${plural(runs, 'run')} of a model ${runs === 1 ? 'was' : 'were'} timed: the 99th percentile is a guess.`,
          ),
        ]
      : []),
  ];
}

/** What the runtime warned of while it ran a model, once for each text; and inputs that were made up. */
function runtimeWarnings({ facts }: ReportInput): Warning[] {
  const variants = facts.benchmark?.variants ?? [];
  const messages = new Set(
    variants.flatMap(({ label, warnings }) => (warnings ?? []).map((text) => `${label}: ${text}`)),
  );
  const isSeeded = variants.some(({ inputSource }) => inputSource === 'seeded');
  return [
    ...[...messages].map((message) => note('runtime-warning', message)),
    ...(isSeeded
      ? [note('seeded-timing', 'Models were timed on random inputs; the time of most models does not depend on them.')]
      : []),
  ];
}

function machineWarnings(sections: Sections): Warning[] {
  const section = dataOf(sections.environment);
  if (section === null) return [];
  const { environment, drift } = section;
  const change = drift === null ? 0 : Math.abs(drift - 1);
  return [
    ...(change > DRIFT.caution
      ? [
          (change > DRIFT.serious ? serious : caution)(
            'drift',
            `The machine's own speed changed by ${formatChange(drift ?? 1)} during the benchmark: it was busy or throttled. Blocks are interleaved, so the ratio holds better than the times.`,
          ),
        ]
      : []),
    ...(environment.load !== null && environment.load > environment.cores / 2
      ? [
          caution(
            'busy',
            `The machine was busy before the benchmark: a load of ${environment.load.toFixed(1)} on ${formatCount(environment.cores)} cores.`,
          ),
        ]
      : []),
    ...(environment.governor === 'powersave'
      ? [note('governor', 'The processor was in its power-saving governor: its clock may have changed.')]
      : []),
    ...(environment.virtual === true
      ? [note('virtual-machine', 'The machine is virtual: others may share its processor, and times vary more.')]
      : []),
  ];
}
