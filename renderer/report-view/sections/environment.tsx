import { formatBytes, formatChange, formatCount } from '../../../native-workers/report/format.ts';
import { Facts, Name } from '../parts.tsx';
import type { SectionProps, SectionView } from '../section-view.tsx';

export const environmentView: SectionView<'environment'> = { title: 'Environment', View: EnvironmentFacts };

const UNKNOWN = 'not known';

function EnvironmentFacts({ data }: SectionProps<'environment'>) {
  const { environment, drift } = data;
  const { machineIndex, load, governor, virtual, features } = environment;
  return (
    <Facts
      facts={[
        { label: 'Processor', value: <Name text={environment.cpu} /> },
        { label: 'Cores', value: formatCount(environment.cores) },
        { label: 'Instruction sets', value: features.length === 0 ? UNKNOWN : <Name text={features.join(', ')} /> },
        { label: 'Memory', value: formatBytes(environment.memory) },
        { label: 'System', value: <Name text={environment.os} /> },
        { label: 'Engine', value: <Name text={environment.engine} /> },
        { label: 'Node', value: <Name text={environment.node} /> },
        { label: 'Hone', value: <Name text={environment.hone} /> },
        { label: 'Virtual machine', value: virtual === null ? UNKNOWN : virtual ? 'yes' : 'no' },
        { label: 'Load before', value: load === null ? UNKNOWN : load.toFixed(2) },
        { label: 'Governor', value: governor === null ? UNKNOWN : <Name text={governor} /> },
        {
          label: 'Machine index before and after (million steps a second)',
          value:
            machineIndex === null
              ? 'not taken'
              : `${machineIndex.before.toFixed(1)} and ${machineIndex.after.toFixed(1)}`,
        },
        { label: 'Drift of the machine', value: drift === null ? 'not taken' : formatChange(drift) },
      ]}
    />
  );
}
