import { formatCount, formatNumber, formatPlain, formatShare, plural } from '../../../native-workers/report/format.ts';
import { DataTable, Name } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const fidelityView: SectionView<'fidelity'> = { title: 'Fidelity to the original', View: Fidelity };

function Fidelity({ data }: SectionProps<'fidelity'>) {
  const plain = (value: number | null): string => (value === null ? 'not applicable' : formatPlain(value));
  return (
    <>
      <p>
        Outputs of both models on{' '}
        {plural(
          data.samples,
          data.inputs === 'seeded' ? 'random input' : 'of your inputs',
          data.inputs === 'seeded' ? 'random inputs' : 'of your inputs',
        )}
        . This is nearness to the original, not accuracy.
      </p>
      <DataTable
        caption="By output"
        columns={[
          { label: 'Output' },
          { label: 'Cosine', numeric: true },
          { label: 'SQNR', numeric: true },
          { label: 'Largest error', numeric: true },
          { label: 'Largest value', numeric: true },
          { label: 'Same top answer', numeric: true },
          { label: 'KL divergence', numeric: true },
          { label: 'Not finite', numeric: true },
        ]}
        rows={data.outputs.map((output) => ({
          id: output.name,
          cells: [
            <Name key="name" text={output.name} />,
            plain(output.cosine),
            output.sqnrDb === null ? 'not applicable' : formatNumber(output.sqnrDb, 'dB'),
            plain(output.maxAbs),
            plain(output.reference),
            output.top1Agreement === null ? 'not applicable' : formatShare(output.top1Agreement),
            plain(output.kl),
            formatCount(output.notFinite),
          ],
        }))}
      />
    </>
  );
}
