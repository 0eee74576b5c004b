/** Contrast of the design tokens by WCAG 2.2, computed: 4.5:1 for text, 3:1 for marks, in both themes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { ROOT } from '../../../helpers/sources.ts';

type Color = readonly [red: number, green: number, blue: number];

const css = readFileSync(join(ROOT, 'renderer', 'styles', 'tokens.css'), 'utf8');
const TOKENS = new Map(
  [...css.matchAll(/--([\w-]+):\s*light-dark\((#[0-9a-f]{6}),\s*(#[0-9a-f]{6})\)/g)].map(([, name, light, dark]) => [
    name ?? '',
    { light: light ?? '', dark: dark ?? '' },
  ]),
);
const THEMES = ['light', 'dark'] as const;
type Theme = (typeof THEMES)[number];

function colorOf(token: string, theme: Theme): Color {
  const hex = TOKENS.get(token)?.[theme];
  if (hex === undefined) throw new Error(`There is no colour --${token}.`);
  const part = (at: number): number => Number.parseInt(hex.slice(at, at + 2), 16) / 255;
  return [part(1), part(3), part(5)];
}

const linear = (value: number): number => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);

function luminance([red, green, blue]: Color): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function contrast(one: Color, other: Color): number {
  const [a, b] = [luminance(one), luminance(other)];
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
}

const GROUNDS = ['ground', 'surface', 'surface-raised', 'surface-sunken', 'hover', 'selected'];
const MEANINGS = ['better', 'worse', 'neutral', 'warning', 'danger'];
const MARKS = [
  'chart-before',
  'chart-after',
  'chart-1',
  'chart-2',
  'chart-3',
  'chart-4',
  'chart-5',
  'chart-6',
  'border-strong',
  'focus',
];

describe.each(THEMES)('%s theme', (theme) => {
  const ratio = (one: string, other: string): number => contrast(colorOf(one, theme), colorOf(other, theme));

  it.each(['text', 'text-secondary', 'accent', ...MEANINGS])('%s can be read on every ground', (token) => {
    for (const ground of GROUNDS) expect(ratio(token, ground), `${token} on ${ground}`).toBeGreaterThanOrEqual(4.5);
  });

  it('muted text can be read where it stands', () => {
    for (const ground of ['ground', 'surface', 'surface-raised']) {
      expect(ratio('text-muted', ground), ground).toBeGreaterThanOrEqual(4.5);
    }
  });

  it.each(MEANINGS)('%s can be read on its own soft ground, and so can text', (token) => {
    expect(ratio(token, `${token}-soft`)).toBeGreaterThanOrEqual(4.5);
    expect(ratio('text', `${token}-soft`)).toBeGreaterThanOrEqual(4.5);
  });

  it('words on the accent can be read', () => {
    expect(ratio('text-on-accent', 'accent')).toBeGreaterThanOrEqual(4.5);
    expect(ratio('text-on-accent', 'accent-hover')).toBeGreaterThanOrEqual(4.5);
  });

  it.each(MARKS)('%s can be seen on a chart', (token) => {
    for (const ground of ['surface', 'surface-raised']) expect(ratio(token, ground), ground).toBeGreaterThanOrEqual(3);
  });

  it.each(['protanopia', 'deuteranopia', 'tritanopia'] as const)('better and worse stay apart with %s', (kind) => {
    const [better, worse] = [simulate(colorOf('better', theme), kind), simulate(colorOf('worse', theme), kind)];
    const distance = Math.hypot(...better.map((value, index) => value - (worse[index] ?? 0)));
    expect(distance).toBeGreaterThan(0.3);
  });
});

/** G. Machado, M. Oliveira, L. Fernandes, "A Physiologically-based Model for Simulation of Color Vision Deficiency", 2009. */
const MATRICES = {
  protanopia: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deuteranopia: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritanopia: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
} as const;

/** What a reader without one kind of cone sees, back in the display's own (gamma) values. */
function simulate(color: Color, kind: keyof typeof MATRICES): number[] {
  const values = color.map(linear);
  return MATRICES[kind].map((row) => {
    const sum = row.reduce((total, weight, index) => total + weight * (values[index] ?? 0), 0);
    const clamped = Math.min(1, Math.max(0, sum));
    return clamped <= 0.0031308 ? 12.92 * clamped : 1.055 * clamped ** (1 / 2.4) - 0.055;
  });
}
