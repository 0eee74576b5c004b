import {
  formatBytes,
  formatCount,
  formatMs,
  formatPlain,
  formatShare,
  plural,
} from '../../../native-workers/report/format.ts';
import type { QuantizationSection } from '../../../native-workers/report/sections/quantization.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name, Pill } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const quantizationView: SectionView<'quantization'> = { title: 'Quantization by layer', View: Quantization };

/** Layers listed at once; the rest is folded. */
const FIRST = 10;

function Quantization({ data }: SectionProps<'quantization'>) {
  return (
    <>
      {data.passes.map(({ pass, title, layers }, place) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a recipe may name a pass twice, and its place tells them apart
        <div key={`${place} ${pass}`}>
          <LayerTable
            caption={`${visible(title)}: the largest errors of weights first`}
            layers={layers.slice(0, FIRST)}
          />
          {layers.length <= FIRST ? null : (
            <Details summary={`All ${plural(layers.length, 'layer')}`}>
              <LayerTable caption={`${visible(title)}: all layers`} layers={layers} />
            </Details>
          )}
        </div>
      ))}
      {data.search.length === 0 ? null : <Search points={data.search} />}
      {data.sensitivity.length === 0 ? null : <Sensitivity rows={data.sensitivity} />}
    </>
  );
}

interface LayerTableProps {
  readonly caption: string;
  readonly layers: QuantizationSection['passes'][number]['layers'];
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
      rows={layers.map(({ node, operator, input, weightError, clipped, method, sqnrDb }) => ({
        id: `${node} ${operator}`,
        cells: [
          <Name key="node" text={node} />,
          operator,
          input === null ? 'while running, or float' : `${formatPlain(input.min)} to ${formatPlain(input.max)}`,
          input === null ? '' : formatPlain(input.scale),
          input === null ? '' : input.zeroPoint,
          method ?? '',
          clipped === null ? '' : formatShare(clipped),
          weightError === null ? 'not measured' : formatShare(weightError),
          sqnrDb === null ? '' : `${sqnrDb.toFixed(1)} dB`,
        ],
      }))}
    />
  );
}

function Search({ points }: { readonly points: QuantizationSection['search'] }) {
  return (
    <DataTable
      caption="Candidates that the search measured"
      columns={[
        { label: 'Layers left float' },
        { label: 'Median latency', numeric: true },
        { label: 'Size', numeric: true },
        { label: 'Loss', numeric: true },
        { label: 'Metric' },
        { label: 'Chosen' },
      ]}
      rows={points.map(({ float, ms, bytes, metric, drop, chosen }) => ({
        id: `${float} ${bytes}`,
        cells: [
          formatCount(float),
          formatMs(ms),
          formatBytes(bytes),
          `${drop.toFixed(2)} points`,
          metric,
          chosen ? (
            <Pill key="chosen" tone="better">
              chosen
            </Pill>
          ) : (
            ''
          ),
        ],
      }))}
    />
  );
}

function Sensitivity({ rows }: { readonly rows: QuantizationSection['sensitivity'] }) {
  return (
    <Details summary={`Sensitivity of ${plural(rows.length, 'layer')}`}>
      <DataTable
        caption="Change of the outputs with one layer alone quantized, most sensitive first"
        columns={[
          { label: 'Layer' },
          { label: 'Operator' },
          { label: 'Change of the outputs', numeric: true },
          { label: 'Time saved', numeric: true },
          { label: 'Kept' },
        ]}
        rows={rows.map(({ node, operator, alone, gainMs, float }) => ({
          id: `${node} ${operator}`,
          cells: [
            <Name key="node" text={node} />,
            operator,
            formatPlain(alone),
            gainMs === null ? 'not measured' : formatMs(gainMs),
            float ? 'float' : '8 bits',
          ],
        }))}
      />
    </Details>
  );
}
