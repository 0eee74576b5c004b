/** Colours and type of charts, from the design tokens, and what all charts have in common. */
import type { EChartsOption } from 'echarts';

export interface ChartTheme {
  readonly text: string;
  readonly textMuted: string;
  readonly grid: string;
  readonly border: string;
  readonly surface: string;
  readonly before: string;
  readonly after: string;
  readonly better: string;
  readonly worse: string;
  readonly neutral: string;
  readonly palette: readonly string[];
  readonly font: string;
}

const TOKENS = {
  text: '--text',
  textMuted: '--text-secondary',
  grid: '--chart-grid',
  border: '--border-strong',
  surface: '--surface-raised',
  before: '--chart-before',
  after: '--chart-after',
  better: '--better',
  worse: '--worse',
  neutral: '--neutral',
} as const;

const PALETTE = ['--chart-1', '--chart-2', '--chart-3', '--chart-4', '--chart-5', '--chart-6'];

/** The tokens as they are where the chart stands: a probe element resolves `light-dark()`. */
export function themeAt(element: HTMLElement): ChartTheme {
  const probe = document.createElement('span');
  element.append(probe);
  const resolve = (token: string): string => {
    probe.style.color = `var(${token})`;
    return getComputedStyle(probe).color;
  };
  const colors = Object.fromEntries(Object.entries(TOKENS).map(([name, token]) => [name, resolve(token)])) as {
    [Name in keyof typeof TOKENS]: string;
  };
  const palette = PALETTE.map(resolve);
  const font = getComputedStyle(element).fontFamily;
  probe.remove();
  return { ...colors, palette, font };
}

/** The plot keeps clear of its own labels and axis names; the legend stands above. */
export const GRID = {
  left: 4,
  right: 20,
  top: 36,
  bottom: 4,
  outerBoundsMode: 'same',
  outerBoundsContain: 'all',
} as const;

/** Tooltips are drawn as text: HTML ones need inline styles, which the content security policy refuses. */
export function baseOption(theme: ChartTheme): EChartsOption {
  return {
    animation: false,
    textStyle: { fontFamily: theme.font, color: theme.text, fontSize: 12 },
    tooltip: {
      renderMode: 'richText',
      confine: true,
      backgroundColor: theme.surface,
      borderColor: theme.border,
      borderWidth: 1,
      padding: [6, 8],
      textStyle: { color: theme.text, fontFamily: theme.font, fontSize: 12 },
    },
    grid: GRID,
  };
}

export function legend(theme: ChartTheme): NonNullable<EChartsOption['legend']> {
  return {
    top: 2,
    left: 0,
    padding: 0,
    itemWidth: 12,
    itemHeight: 8,
    icon: 'rect',
    textStyle: { color: theme.text, fontFamily: theme.font, fontSize: 12 },
    selectedMode: false,
  };
}

/** Lines and words of an axis; `name` is what it shows, with the unit. */
export function axis(theme: ChartTheme, direction: 'x' | 'y', name: string) {
  return {
    name,
    nameLocation: 'middle' as const,
    nameGap: direction === 'x' ? 26 : 44,
    nameTextStyle: { color: theme.textMuted },
    axisLine: { lineStyle: { color: theme.border } },
    axisTick: { show: false },
    axisLabel: { color: theme.textMuted, hideOverlap: true },
    splitLine: { lineStyle: { color: theme.grid } },
    splitNumber: 4,
  };
}

/** Long names of others, cut for an axis; the tables have them whole. */
export function short(name: string, most = 28): string {
  const characters = [...name];
  return characters.length <= most ? name : `${characters.slice(0, most - 1).join('')}…`;
}
