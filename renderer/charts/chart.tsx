/** A chart: drawn in the colours of where it stands, resized with it, and described in words for those who cannot see it. */
import type { EChartsOption } from 'echarts';
import { useEffect, useRef } from 'react';
import { init } from './echarts.ts';
import { type ChartTheme, themeAt } from './theme.ts';

export interface ChartProps {
  /** What the chart shows, in a sentence with its main numbers. The data belongs in a table beside it. */
  readonly description: string;
  readonly height: number;
  /** Pure: the same theme gives the same chart. Keep it stable between renders where the data is. */
  readonly option: (theme: ChartTheme) => EChartsOption;
  /** Told the `place` of the mark that was clicked. The same must be possible in the table beside the chart. */
  readonly onPick?: (place: number) => void;
}

/** Pixels between the edges of an A4 page with the margins of the print style. */
const PRINT_WIDTH = 660;

export function Chart({ description, height, option, onPick }: ChartProps) {
  const box = useRef<HTMLDivElement>(null);

  useEffect(() => {
    const element = box.current;
    if (element === null) return;
    const chart = init(element, null, { renderer: 'svg', height });
    const draw = (): void => chart.setOption(option(themeAt(element)), true);
    draw();
    chart.on('click', ({ data }) => {
      if (typeof data === 'object' && data !== null && 'place' in data) onPick?.(Number(data['place']));
    });

    const resized = new ResizeObserver(() => chart.resize({ height }));
    resized.observe(element);

    const themed = new MutationObserver(draw);
    themed.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme'] });
    const dark = matchMedia('(prefers-color-scheme: dark)');
    dark.addEventListener('change', draw);

    // Paper is white, whatever the screen is.
    const print = (): void => {
      chart.resize({ width: PRINT_WIDTH, height });
      draw();
    };
    const screen = (): void => {
      chart.resize({ height });
      draw();
    };
    const onPrint = (event: MediaQueryListEvent): void => (event.matches ? print() : screen());
    const printing = matchMedia('print');
    printing.addEventListener('change', onPrint);

    return () => {
      resized.disconnect();
      themed.disconnect();
      dark.removeEventListener('change', draw);
      printing.removeEventListener('change', onPrint);
      chart.dispose();
    };
  }, [option, height, onPick]);

  return <div ref={box} className="chart" role="img" aria-label={description} style={{ height }} />;
}
