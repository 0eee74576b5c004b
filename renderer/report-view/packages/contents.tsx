/** What is in the packages and what is not: operators that a format lacks, files, notes. */
import { formatBytes, formatCount, plural } from '../../../native-workers/report/format.ts';
import { visible } from '../../../native-workers/report/text.ts';
import { DataTable, Details, Name } from '../parts.tsx';
import { type Artifact, nameOf } from './artifact.ts';

/** Named in the table; the others are folded. */
const FIRST_NODES = 2;

/** Which operators, how many of each, why; then every node. */
export function Unsupported({ artifact }: { readonly artifact: Artifact }) {
  const { unsupported } = artifact.coverage;
  if (unsupported.length === 0) return null;
  const groups = new Map<string, { type: string; reason: string; nodes: string[] }>();
  for (const { node, type, reason } of unsupported) {
    const group = groups.get(`${type} ${reason}`) ?? { type, reason, nodes: [] };
    group.nodes.push(node);
    groups.set(`${type} ${reason}`, group);
  }
  return (
    <DataTable
      caption={`What ${visible(nameOf(artifact))} cannot express: ${plural(unsupported.length, 'node')}`}
      columns={[{ label: 'Operator' }, { label: 'Nodes', numeric: true }, { label: 'Why' }, { label: 'Which' }]}
      rows={[...groups].map(([id, { type, reason, nodes }]) => ({
        id,
        cells: [
          <Name key="type" text={type} />,
          formatCount(nodes.length),
          <Name key="reason" text={reason} />,
          <Nodes key="nodes" nodes={nodes} />,
        ],
      }))}
    />
  );
}

function Nodes({ nodes }: { readonly nodes: readonly string[] }) {
  const rest = nodes.slice(FIRST_NODES);
  return (
    <>
      <Name text={nodes.slice(0, FIRST_NODES).join(', ')} />
      {rest.length === 0 ? null : (
        <Details summary={`and ${plural(rest.length, 'more node')}`}>
          <ul className="report-nodes">
            {rest.map((node, place) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: nodes of a graph may share a name, and the list does not change
              <li key={`${place} ${node}`}>
                <Name text={node} />
              </li>
            ))}
          </ul>
        </Details>
      )}
    </>
  );
}

export function Files({ artifact }: { readonly artifact: Artifact }) {
  const { files } = artifact;
  if (files.length === 0) return null;
  return (
    <Details summary={`${visible(nameOf(artifact))}: ${plural(files.length, 'file')} with their hashes`}>
      <DataTable
        caption={`Files of the package for ${visible(nameOf(artifact))}`}
        columns={[{ label: 'File' }, { label: 'Size', numeric: true }, { label: 'SHA-256' }]}
        rows={files.map(({ path, bytes, sha256 }) => ({
          id: path,
          cells: [
            <Name key="path" text={path} />,
            formatBytes(bytes),
            <code key="hash" className="report-hash">
              {sha256}
            </code>,
          ],
        }))}
      />
    </Details>
  );
}

export function Notes({ artifacts }: { readonly artifacts: readonly Artifact[] }) {
  const notes = artifacts.flatMap((artifact) => artifact.notes.map((note) => ({ name: nameOf(artifact), note })));
  if (notes.length === 0) return null;
  return (
    <ul className="report-notes" aria-label="Notes on the packages">
      {notes.map(({ name, note }) => (
        <li key={`${name} ${note}`}>
          <strong>{visible(name)}</strong> {visible(note)}
        </li>
      ))}
    </ul>
  );
}
