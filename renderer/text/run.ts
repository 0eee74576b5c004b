/** Words of a run in progress and of its ends, of reports and of comparisons. */
export const RUN = {
  loading: 'Reading the run',
  tabs: { progress: 'Stages and log', report: 'Report' },
  stages: 'Stages',
  log: 'Log',
  followTail: 'Follow the end',
  logEmpty: 'No lines yet.',
  logNone: 'The run left no log.',
  warnings: (count: number) => `${count} ${count === 1 ? 'warning' : 'warnings'}`,
  cancel: 'Cancel',
  cancelling: 'Cancelling',
  resume: 'Resume',
  resumed: 'The run goes on from its last finished stage.',
  again: 'Use the recipe again',
  started: 'Started',
  source: 'Source',
  recipe: 'Recipe',
  seed: 'Seed',
  folder: 'Run',
  peak: 'peak memory',
  openReport: 'Open the report',
  cancelled: {
    title: 'The run was cancelled',
    text: (done: number, total: number) =>
      `${done} of ${total} stages had finished and are kept. Resuming goes on from there.`,
  },
  interrupted: {
    title: 'The run was interrupted',
    text: (done: number, total: number) =>
      `Its process or the studio ended before the run did. ${done} of ${total} stages had finished and are kept.`,
  },
  doneTitle: 'The run is done',
  doneText: 'The report is computed and saved in the library.',
  partial: 'The run is done, but a stage failed',
  partialText: 'The report says what could not be measured, and why.',
  live: {
    ranges: 'Ranges so far',
    rangesOf: (shown: number, total: number) =>
      shown === total ? `of ${total} activations` : `of ${shown} activations, spread over all ${total}`,
    sensitivity: 'Most sensitive layers so far',
    sensitivityOf: (total: number) => `of ${total} measured: change of the outputs with the layer alone quantized`,
    search: 'Models so far',
    searchOf: (metric: string, drop: number) => `points of ${metric} lost, of ${drop} allowed`,
    float: (layers: number) =>
      layers === 0 ? 'all layers INT8' : `${layers} ${layers === 1 ? 'layer' : 'layers'} float`,
    best: 'best so far',
  },
  announce: (stage: string, phase: string, done: number, total: number | null) =>
    total === null
      ? `${stage}: ${phase}`
      : `${stage}: ${phase}, ${Math.floor((100 * done) / Math.max(1, total))} percent`,
} as const;

export const ERROR_CARD = {
  meaning: 'What it means',
  where: 'Where',
  code: 'Code',
  next: 'What to do',
  file: 'file',
  offset: 'byte',
  graph: 'graph',
  node: 'node',
  tensor: 'tensor',
} as const;

export const REPORT = {
  title: 'Report',
  loading: 'Reading the report',
  notYet: 'There is no report yet',
  notYetText: 'It is written when the last stage is done.',
  none: 'This run has no report',
  noneText: 'It ended before the report was written. Resume it to get one.',
  export: 'Export',
  exports: {
    html: 'Web page (.html), self-contained',
    md: 'Markdown (.md)',
    csv: 'Table (.csv)',
    json: 'Data (.json)',
  },
  exported: (name: string) => `Saved ${name}.`,
  exportLeft: 'Nothing was saved.',
  verify: 'Verify',
  verifying: 'Verifying',
  verified: 'Verified',
  altered: 'Altered',
  incomplete: 'Incomplete',
  verdicts: {
    verified: 'Every number was computed again from the raw samples, and every hash is right.',
    altered: 'A number or a file is not what the raw samples and hashes say. Do not rely on this report.',
    incomplete: 'What is there is right, but files that the check needs are missing.',
  },
  checks: (passed: number, total: number) => `${passed} of ${total} checks passed`,
  check: { passed: 'passed', failed: 'failed', missing: 'missing' },
  saved: 'Opened report',
  savedHint:
    'Opened from a file. Verify computes its numbers again from the raw samples in it, as `hone verify FILE` does.',
  noSaved: 'No report is open',
  noSavedText: 'Drop a report.html or report.json on the window, or choose one.',
  choose: 'Choose a report',
  pickedTitle: (float: number) =>
    float === 0 ? 'INT8, all layers' : `INT8, ${float} ${float === 1 ? 'layer' : 'layers'} float`,
  pickedSummary: 'A model that a search measured, picked by hand.',
} as const;

export const COMPARE = {
  title: 'Compare two runs',
  back: 'Back to the library',
  earlier: 'Earlier run',
  later: 'Later run',
  measure: 'Measure',
  measured: 'What was measured',
  inconclusive: 'inconclusive',
  source: 'Source model',
  after: 'Result',
  change: 'Change',
  loading: 'Reading both reports',
  differences: 'What differs',
  same: 'Same recipe, seed, data and machine.',
  caution:
    'Each run timed its own source and result in turn, so the factors can be compared. Milliseconds of two runs were taken at different times: read them with care.',
  otherSource: 'The two runs have different source models: only read this as two separate results.',
  recipe: 'Recipe',
  passes: 'Passes',
  seed: 'Seed',
  machine: 'Machine',
  engine: 'Engine',
  data: 'Evaluation data',
  noData: 'none',
  notMeasured: 'not measured',
} as const;
