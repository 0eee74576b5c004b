/** What older x86 processors would answer: for a reader who never heard of saturation. */
import {
  formatCount,
  formatElement,
  formatRange,
  formatShare,
  formatSmallShare,
  plural,
} from '../../../native-workers/report/format.ts';
import type { SaturationSection } from '../../../native-workers/report/sections/saturation.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, type Fact, Facts, Name, Pill, type Tone } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const saturationView: SectionView<'saturation'> = { title: 'On processors without VNNI', View: Saturation };

const VERDICTS: Record<SaturationSection['verdict'], { readonly tone: Tone; readonly word: string }> = {
  none: { tone: 'better', word: 'nothing lost' },
  small: { tone: 'neutral', word: 'little lost' },
  large: { tone: 'worse', word: 'answers lost' },
};

const MACHINES: Record<SaturationSection['machine'], string> = {
  safe: 'This machine is not one of them: the accuracy above was measured without the loss.',
  affected: 'This machine is one of them: the accuracy above was measured with the loss.',
  unknown: 'Whether this machine is one of them is not known.',
};

function Saturation({ data }: SectionProps<'saturation'>) {
  const { title, samples, verdict, layers, left, machine } = data;
  const { tone, word } = VERDICTS[verdict];
  return (
    <>
      <p className="report-prose">
        x86 processors with AVX2 or AVX-512 but without VNNI (most of Intel's before 2020, AMD's before Zen 4) add pairs
        of 8-bit products in 16 bits, and cut off what is larger than 32,767. The same INT8 model then gives other
        answers there. Hone worked through {plural(samples, 'sample')} of the calibration data as such a processor does.{' '}
        {MACHINES[machine]}
      </p>
      <Facts facts={[{ label: visible(title), value: <Pill tone={tone}>{word}</Pill> }, ...factsOf(data)]} />
      <p className="report-prose">{adviceOf(data)}</p>
      {layers.length === 0 ? null : (
        <div className="report-tall">
          <DataTable
            caption="Where sums are cut off, the largest error first"
            columns={[
              { label: 'Layer' },
              { label: 'Error of its sums', numeric: true },
              { label: 'Pairs cut off', numeric: true },
            ]}
            rows={layers.map(({ node, share, error }, place) => ({
              id: `${place} ${node}`,
              cells: [<Name key="node" text={node} />, formatShare(error), formatSmallShare(share)],
            }))}
          />
        </div>
      )}
      {left.length === 0 ? null : (
        <Details summary={`${plural(left.length, 'layer')} not covered by the emulation`}>
          <p>
            <Name text={left.join(', ')} />
          </p>
        </Details>
      )}
    </>
  );
}

function factsOf({ agreement, change, layers }: SaturationSection): Fact[] {
  return [
    agreement === null
      ? { label: 'Change of the outputs', value: formatElement(change) }
      : {
          label: 'Answers that stay the same (95 % interval)',
          value: `${formatShare(agreement.share)} (${formatRange(agreement.interval, 'share')})`,
        },
    { label: 'Layers with sums cut off', value: formatCount(layers.length) },
  ];
}

function adviceOf({ verdict, agreement, samples }: SaturationSection): string {
  if (verdict === 'none') return 'Nothing is cut off on these samples, so the model answers there as it does here.';
  if (verdict === 'small') {
    if (agreement === null) return 'So little changes on these samples that nothing needs to be done.';
    const most = formatShare(1 - agreement.interval.low);
    return `So little changes on these samples that nothing needs to be done. ${plural(samples, 'sample')} cannot rule out that up to ${most} of the answers change (95 % interval): to know better, raise the option saturationSamples, or evaluate on such a processor.`;
  }
  const most =
    agreement === null || agreement.share === 1
      ? ''
      : ` Up to ${formatShare(1 - agreement.share)} of the right answers are lost there (${formatRange({ low: 1 - agreement.interval.high, high: 1 - agreement.interval.low }, 'share')}, as few samples were worked through).`;
  return `If the model will run on such processors, quantize it again with the option pairSafe: its weights are chosen such that no pair can be cut off, at a little less precision everywhere.${most} Processors with VNNI, ARM and phones do not need it.`;
}
