/** Where the artifacts load, and whether they fit. */
import { formatBytes } from '../../../native-workers/report/format.ts';
import type { PackagesSection } from '../../../native-workers/report/sections/packages.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Name, Pill } from '../parts.tsx';
import { type Artifact, nameOf } from './artifact.ts';

/** Will it load there? A row for each thing that the device must have, with what of the artifact asks for it. */
export function Needs({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  const rows = artifacts.flatMap((artifact) => loadsOf(artifact).map((row) => ({ artifact, row })));
  if (rows.length === 0) return null;
  return (
    <DataTable
      caption="Will it load there? What the device must have, at least"
      columns={[{ label: 'Target' }, { label: 'Where' }, { label: 'Version or newer' }, { label: 'Because of' }]}
      rows={rows.map(({ artifact, row: { where, minimum, why } }) => ({
        id: `${artifact.path} ${where}`,
        cells: [
          <Name key="target" text={nameOf(artifact)} />,
          <Name key="where" text={where} />,
          <Name key="minimum" text={minimum} />,
          <Name key="why" text={why} />,
        ],
      }))}
    />
  );
}

/** What the artifact told; else what it requires, without the why. */
function loadsOf({ loads, requires }: Artifact): NonNullable<Artifact['loads']> {
  return loads ?? Object.entries(requires).map(([where, minimum]) => ({ where, minimum, why: '' }));
}

/** A row for each target, a column for each device profile. */
export function Sizes({ sizes }: { readonly sizes: PackagesSection['sizes'] }) {
  if (sizes.length === 0) return null;
  const profiles = [...new Map(sizes.map(({ profile, budget }) => [profile, budget]))];
  const targets = [...new Map(sizes.map(({ target, bytes }) => [target, bytes]))];
  return (
    <DataTable
      caption="Size against the budgets of device profiles"
      columns={[
        { label: 'Target' },
        { label: 'Size', numeric: true },
        ...profiles.map(([profile, budget]) => ({ label: `${visible(profile)}, ${formatBytes(budget)}` })),
      ]}
      rows={targets.map(([target, bytes]) => ({
        id: target,
        cells: [
          <Name key="target" text={target} />,
          formatBytes(bytes),
          ...profiles.map(([profile]) => {
            const found = sizes.find((size) => size.target === target && size.profile === profile);
            return found === undefined ? (
              ''
            ) : (
              <Pill key={profile} tone={found.fits ? 'better' : 'worse'}>
                {found.fits ? 'fits' : 'too large'}
              </Pill>
            );
          }),
        ],
      }))}
    />
  );
}
