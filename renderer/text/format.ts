/** Numbers as the screens write them; those that stand in reports too are written as there. */
import * as report from '../../native-workers/report/format.ts';
import { unitOfMetric } from '../../native-workers/report/metric.ts';

const MISSING = '–';

/** `1.64 MB`; a dash where nothing was measured. */
export function formatBytes(bytes: number | null): string {
  return bytes === null ? MISSING : report.formatBytes(bytes);
}

/** `0.412 ms`, `1.24 s`; a dash where nothing was measured. */
export function formatMs(ms: number | null): string {
  return ms === null ? MISSING : report.formatMs(ms);
}

/** Time that passes: `8 s`, `2:07 min`, `1:02:07 h`. */
export function formatElapsed(ms: number): string {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  const two = (value: number): string => String(value).padStart(2, '0');
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${two(seconds % 60)} min`;
  return `${Math.floor(seconds / 3600)}:${two(Math.floor(seconds / 60) % 60)}:${two(seconds % 60)} h`;
}

const COUNT = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** `12,345`. */
export function formatCount(count: number | null): string {
  return count === null ? MISSING : COUNT.format(count);
}

/** `409.6 k`, `1.23 M`, `7.2 G`: for parameters and multiply-accumulates. */
export function formatShort(count: number | null): string {
  if (count === null) return MISSING;
  const units = ['', 'k', 'M', 'G', 'T', 'P'];
  let value = count;
  let unit = 0;
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1000;
    unit += 1;
  }
  return unit === 0 ? COUNT.format(value) : `${value.toPrecision(3)} ${units[unit]}`;
}

/** after/before as a factor: `0.27×`. */
export function formatRatio(ratio: number | null): string {
  return ratio === null ? MISSING : `${ratio.toFixed(ratio >= 10 ? 1 : 2)}×`;
}

/**
 * How many times faster or slower, to stand before the verdict: `1.70×` faster, `1.24×` slower. Without a proven difference it is
 * the speed after as a factor of the speed before.
 */
export function formatSpeed(
  before: number,
  after: number,
  verdict: 'faster' | 'slower' | 'inconclusive' | null,
): string {
  if (before <= 0 || after <= 0) return MISSING;
  return formatRatio(verdict === 'slower' ? after / before : before / after);
}

/** A difference of shares in percentage points, always with its sign: `−0.42 pp`. */
export function formatPoints(share: number | null): string {
  return share === null ? MISSING : `${signed(share * 100, 2)} pp`;
}

export function signed(value: number, digits: number): string {
  const text = Math.abs(value).toFixed(digits);
  if (Number(text) === 0) return `±${text}`;
  return `${value < 0 ? '−' : '+'}${text}`;
}

/** `97.2 %`. */
export function formatShare(share: number | null, digits = 1): string {
  return share === null ? MISSING : `${(share * 100).toFixed(digits)} %`;
}

const TIME = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short' });
const YEAR = new Intl.DateTimeFormat('en-GB', { day: 'numeric', month: 'short', year: 'numeric' });
const CLOCK = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** `today 14:05`, `12 Nov 14:05`, `12 Nov 2025`; `now` in milliseconds since 1970. */
export function formatWhen(iso: string, now: number): string {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return iso;
  const today = new Date(now);
  if (date.toDateString() === today.toDateString()) return `today ${TIME.format(date)}`;
  if (date.getFullYear() === today.getFullYear()) return `${DAY.format(date)} ${TIME.format(date)}`;
  return YEAR.format(date);
}

export function formatClock(time: number): string {
  return CLOCK.format(time);
}

export function formatShape(shape: readonly (number | string | null)[]): string {
  return shape.length === 0 ? 'scalar' : shape.map((dim) => dim ?? '?').join(' × ');
}

/** How far two elements are apart, down to float arithmetic: `0.0123`, `1.9e−6`; a dash where nothing was measured. */
export function formatDifference(value: number | null): string {
  return value === null ? MISSING : report.formatDifference(value);
}

/** `0.99998`; a dash where nothing was measured. */
export function formatCosine(value: number | null): string {
  return value === null ? MISSING : report.formatPlain(value);
}

/** `99.42 %`, `0.913`. */
export function formatMetric(value: number, unit: string): string {
  return report.formatNumber(value, unitOfMetric({ unit }));
}

/** Three significant digits: for elements of tensors. */
export function formatElement(value: number): string {
  return Number(value.toPrecision(3)).toString().replace('-', '−');
}

/** `1 pass`, `3 passes`. */
export function plural(count: number, one: string, many = `${one}s`): string {
  return `${formatCount(count)} ${count === 1 ? one : many}`;
}
