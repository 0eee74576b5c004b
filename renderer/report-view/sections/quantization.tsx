import { useMemo } from 'react';
import { formatClipped } from '../../../native-workers/report/clipped.ts';
import {
  formatCount,
  formatDifference,
  formatElement,
  formatMs,
  formatShare,
  plural,
} from '../../../native-workers/report/format.ts';
import { dataOf } from '../../../native-workers/report/outcome.ts';
import type { QuantizationSection, QuantizedLayer } from '../../../native-workers/report/sections/quantization.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { layerRows } from '../layer-rows.ts';
import { LayerView } from '../layer-view.tsx';
import { DataTable, Details, Name } from '../parts.tsx';
import { SearchChoice } from '../search-choice.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const quantizationView: SectionView<'quantization'> = { title: 'Quantization by layer', View: Quantization };

function Quantization({ data, report }: SectionProps<'quantization'>) {
  const { passes, left, sensitivity, search } = data;
  const layers = useMemo(
    () => layerRows(data, dataOf(report.sections.saturation)?.layers ?? []),
    [data, report.sections.saturation],
  );
  return (
    <>
      {search.length === 0 ? null : <SearchChoice points={search} />}
      {layers.rows.length === 0 ? null : <LayerView {...layers} />}
      {passes.map(({ pass, title, layers: rows }, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a recipe may name a pass twice, and its place tells them apart
        <Details key={`${place} ${pass}`} summary={`${visible(title)}: table of ${plural(rows.length, 'layer')}`}>
          <LayerTable caption={`${visible(title)}: the largest errors of weights first`} layers={rows} />
        </Details>
      ))}
      {sensitivity.length === 0 ? null : <Sensitivity rows={sensitivity} />}
      {left.length === 0 ? null : <LeftFloat rows={left} />}
    </>
  );
}

interface LayerTableProps {
  readonly caption: string;
  readonly layers: readonly QuantizedLayer[];
}

function LayerTable({ caption, layers }: LayerTableProps) {
  return (
    <DataTable
      caption={caption}
      columns={[
        { label: 'Layer' },
        { label: 'Operator' },
        { label: 'Input range', numeric: true },
        { label: 'Input step', numeric: true },
        { label: 'Zero point', numeric: true },
        { label: 'Range by' },
        { label: 'Clipped', numeric: true },
        { label: 'Error of weights', numeric: true },
        { label: 'Expected SQNR', numeric: true },
      ]}
      rows={layers.map((layer, place) => {
        const { node, operator, input, weightError, method, sqnrDb } = layer;
        const cells = [
          <Name key="node" text={node} />,
          operator,
          input === null ? 'while running, or float' : `${formatElement(input.min)} to ${formatElement(input.max)}`,
          input === null ? '' : formatElement(input.scale),
          input === null ? '' : input.zeroPoint,
          method ?? '',
          formatClipped(layer) ?? '',
          weightError === null ? 'not measured' : formatShare(weightError),
          sqnrDb === null ? '' : `${sqnrDb.toFixed(1)} dB`,
        ];
        return { id: `${place} ${node}`, cells };
      })}
    />
  );
}

function Sensitivity({ rows }: { readonly rows: QuantizationSection['sensitivity'] }) {
  return (
    <Details summary={`Table of the sensitivity of ${plural(rows.length, 'layer')}`}>
      <DataTable
        caption="Change of the outputs with one layer alone quantized, most sensitive first"
        columns={[
          { label: 'Layer' },
          { label: 'Operator' },
          { label: 'Change of the outputs', numeric: true },
          { label: 'Time saved', numeric: true },
          { label: 'Kept' },
        ]}
        rows={rows.map(({ node, operator, alone, gainMs, float }, place) => ({
          id: `${place} ${node}`,
          cells: [
            <Name key="node" text={node} />,
            operator,
            formatDifference(alone),
            gainMs === null ? 'not measured' : formatMs(gainMs),
            float ? 'float' : '8 bits',
          ],
        }))}
      />
    </Details>
  );
}

function LeftFloat({ rows }: { readonly rows: QuantizationSection['left'] }) {
  const reasons = new Map<string, string[]>();
  for (const { node, reason } of rows) reasons.set(reason, [...(reasons.get(reason) ?? []), node]);
  return (
    <Details summary={`${plural(rows.length, 'node')} left float by plan, and why`}>
      <DataTable
        caption="What stays float, by reason"
        columns={[{ label: 'Why' }, { label: 'Nodes', numeric: true }, { label: 'Which' }]}
        rows={[...reasons].map(([reason, nodes]) => ({
          id: reason,
          cells: [
            <Name key="reason" text={reason} />,
            formatCount(nodes.length),
            <Name key="nodes" text={nodes.join(', ')} />,
          ],
        }))}
      />
    </Details>
  );
}
