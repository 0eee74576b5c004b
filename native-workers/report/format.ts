/** Numbers as people read them. The same in the HTML, the Markdown and the studio, so that reports can be compared. */
import type { Cell, ComparisonRow } from './document.ts';
import type { Unit } from './parts.ts';

interface Range {
  readonly low: number;
  readonly high: number;
}

const MINUS = '\u2212';

/** So many significant digits, but never fewer than the whole part has. */
function digits(value: number, significant = 3): string {
  const size = Math.abs(value);
  const decimals = size === 0 ? 0 : Math.min(8, Math.max(0, significant - 1 - Math.floor(Math.log10(size))));
  return value.toFixed(decimals).replace('-', MINUS);
}

/** Three significant digits, for numbers that tensors hold: `0.0229`, `−1.00`. */
export function formatElement(value: number): string {
  return digits(value);
}

/** Differences of float arithmetic are small: `1.9e−6`. */
export function formatDifference(value: number): string {
  return value === 0 || value >= 0.001 ? formatPlain(value) : value.toExponential(1).replace('-', MINUS);
}

export function formatMs(ms: number): string {
  return Math.abs(ms) >= 1000 ? `${digits(ms / 1000)} s` : `${digits(ms)} ms`;
}

/** Decimal units, as budgets and disk makers count: 1 MB is 10^6 bytes. */
export function formatBytes(bytes: number): string {
  const size = Math.abs(bytes);
  if (size >= 1e9) return `${digits(bytes / 1e9)} GB`;
  if (size >= 1e6) return `${digits(bytes / 1e6)} MB`;
  if (size >= 1e3) return `${digits(bytes / 1e3)} kB`;
  return `${formatCount(bytes)} B`;
}

/** Whole numbers, `12,345`. */
export function formatCount(count: number): string {
  return Math.round(count)
    .toString()
    .replace('-', MINUS)
    .replace(/\B(?=(\d{3})+$)/g, ',');
}

export function formatRatio(ratio: number): string {
  return `${digits(ratio)}×`;
}

/** How many times faster or slower a ratio of times (after/before) is: 0.5 gives `2.00×`, and so does 2. */
export function formatTimes(ratio: number): string {
  return formatRatio(ratio < 1 && ratio > 0 ? 1 / ratio : ratio);
}

/** A share 0..1 in percent, with two decimals where the percentage is near a whole that it is not; what is not zero is not called so. */
export function formatShare(share: number): string {
  if (share > 0 && share < 5e-4) return 'below 0.1 %';
  return percent(share, shareDecimals(share));
}

const shareDecimals = (share: number): number => (share > 0.99 && share < 1 ? 2 : 1);

function percent(share: number, decimals: number): string {
  return `${(share * 100).toFixed(decimals).replace('-', MINUS)} %`;
}

/** A share that may be far under a percent: what `formatShare` would round to nothing is given in a million. */
export function formatSmallShare(share: number): string {
  return share > 0 && share < 5e-4 ? `${digits(share * 1e6)} in a million` : formatShare(share);
}

/** A difference of shares, in percentage points, with its sign. */
export function formatPoints(delta: number): string {
  return `${signedPoints(delta)} points`;
}

/** A change of a ratio in percent: 0.26 is −74.0 %. */
export function formatChange(ratio: number): string {
  return `${signedPercent(ratio)} %`;
}

/** `−1.88 to +1.38 points`. */
export function formatPointsRange(low: number, high: number): string {
  return `${signedPoints(low)} to ${signedPoints(high)} points`;
}

/** `−66.2 to −65.4 %`. */
export function formatChangeRange(low: number, high: number): string {
  return `${signedPercent(low)} to ${signedPercent(high)} %`;
}

function signedPoints(delta: number): string {
  return signed((delta * 100).toFixed(2));
}

function signedPercent(ratio: number): string {
  const percent = (ratio - 1) * 100;
  return signed(percent.toFixed(Math.abs(percent) < 100 ? 1 : 0));
}

/** Most decimals of a cosine: what is nearer to 1 than that is only told to be so. */
const NEAR_ONE = 7;

/**
 * Plain numbers: what is near 1 (a cosine) with two digits of its distance from 1, five to seven decimals; else three digits.
 * A number that would round to 1 without being it is said to be nearer: `> 0.9999999`.
 */
export function formatPlain(value: number): string {
  const distance = 1 - Math.abs(value);
  if (distance < 0 || distance > 0.1) return digits(value);
  if (distance > 0 && distance < 10 ** -NEAR_ONE) {
    const edge = (1 - 10 ** -NEAR_ONE).toFixed(NEAR_ONE);
    return value > 0 ? `> ${edge}` : `< ${MINUS}${edge}`;
  }
  const decimals = distance === 0 ? 5 : Math.min(NEAR_ONE, Math.max(5, 1 - Math.floor(Math.log10(distance))));
  return value.toFixed(decimals).replace('-', MINUS);
}

/** A probability of a test: `0.55`, `0.0032`, `below 0.0001`. */
export function formatProbability(p: number): string {
  if (p < 0.0001) return 'below 0.0001';
  return p >= 0.1 ? p.toFixed(2) : Number(p.toPrecision(2)).toString();
}

export function formatNumber(value: number, unit: Unit): string {
  switch (unit) {
    case 'ms':
      return formatMs(value);
    case 'bytes':
      return formatBytes(value);
    case 'ratio':
      return formatRatio(value);
    case 'share':
      // As many decimals as differences have, so that after less before is the change that stands beside them.
      return percent(value, 2);
    case 'points':
      return `${(value * 100).toFixed(2).replace('-', MINUS)} points`;
    case 'dB':
      return `${digits(value)} dB`;
    case 'count':
      return formatCount(value);
    case 'runs/s':
      return `${digits(value)} runs/s`;
    case '1':
      return Math.abs(value) <= 1 && Math.abs(value) >= 0.9 ? formatPlain(value) : digits(value, 4);
  }
}

const ABSENT: Record<Exclude<Cell['status'], 'measured'>, string> = {
  'not-measured': 'not measured',
  'not-applicable': 'not applicable',
  failed: 'failed',
};

export function formatCell(cell: Cell, unit: Unit): string {
  return cell.status === 'measured' ? formatNumber(cell.value, unit) : ABSENT[cell.status];
}

/** A difference in its unit, with its sign. */
export function formatDelta(delta: number, unit: Unit): string {
  if (unit === 'share') return formatPoints(delta);
  return signed((unit === '1' ? digits(delta) : formatNumber(delta, unit)).replace(MINUS, '-'));
}

/** The interval of a difference in its unit: `−1.88 to +1.38 points`. */
export function formatDeltaRange({ low, high }: Range, unit: Unit): string {
  return unit === 'share' ? formatPointsRange(low, high) : `${formatDelta(low, unit)} to ${formatDelta(high, unit)}`;
}

/** The interval of a value: `66.1 to 75.0 %`. */
export function formatRange({ low, high }: Range, unit: Unit): string {
  if (unit === 'share') {
    const decimals = Math.max(shareDecimals(low), shareDecimals(high));
    return `${percent(low, decimals).replace(' %', '')} to ${percent(high, decimals)}`;
  }
  if (unit === '1') return `${digits(low)} to ${digits(high)}`;
  return `${formatNumber(low, unit)} to ${formatNumber(high, unit)}`;
}

/** The change column of the before/after table, with its interval where there is one. */
export function formatRowChange({ ratio, delta, interval, unit }: ComparisonRow): string {
  if (ratio === null && delta === null) return '';
  const change = ratio === null ? formatDelta(delta ?? 0, unit) : formatChange(ratio);
  if (interval === null) return change;
  const range = ratio === null ? formatDeltaRange(interval, unit) : formatChangeRange(interval.low, interval.high);
  return `${change} (${range})`;
}

function signed(text: string): string {
  if (text.startsWith('-')) return Number.parseFloat(text) === 0 ? text.slice(1) : MINUS + text.slice(1);
  return Number.parseFloat(text) === 0 ? text : `+${text}`;
}

/** `a`, `a and b`, `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  if (words.length < 2) return words.join('');
  return `${words.slice(0, -1).join(', ')} and ${words.at(-1)}`;
}

/** `1 node`, `3 nodes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
