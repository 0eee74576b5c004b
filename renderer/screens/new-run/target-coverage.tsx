/** What a target can express of the model, before anything is converted: by operator and reason, down to the nodes. */
import { groupUnsupported, type TargetCoverage, type UnsupportedGroup } from '../../stores/coverage.ts';
import { TARGETS } from '../../text/new-run.ts';

/** Named one by one; a list of thousands helps nobody. */
const MOST_NODES = 50;

export function TargetCoverageView({ title, found }: { readonly title: string; readonly found: TargetCoverage }) {
  if (found.status === 'checking') {
    return (
      <p className="target-coverage muted" role="status">
        {TARGETS.checking}
      </p>
    );
  }
  if (found.status === 'failed' || found.error !== null) {
    return (
      <p className="target-coverage target-failed" role="status">
        {found.error?.message} <span className="muted">{found.error?.hint}</span>
      </p>
    );
  }
  const { nodes, unsupported } = found.coverage;
  if (unsupported.length === 0) {
    return (
      <p className="target-coverage target-full" role="status">
        {TARGETS.covered(nodes)}
      </p>
    );
  }
  return (
    <div className="target-coverage">
      <p className="target-partly" role="status">
        {TARGETS.uncovered(unsupported.length, nodes)}
      </p>
      <ul aria-label={TARGETS.coverageOf(title)}>
        {groupUnsupported(unsupported).map((group) => (
          <li key={`${group.type} ${group.reason}`}>
            <Unsupported group={group} />
          </li>
        ))}
      </ul>
    </div>
  );
}

function Unsupported({ group: { type, reason, nodes } }: { readonly group: UnsupportedGroup }) {
  const more = nodes.length - MOST_NODES;
  return (
    <details>
      <summary>
        {TARGETS.operator(type, nodes.length)}: <span className="muted">{reason}</span>
      </summary>
      <ul className="target-nodes">
        {nodes.slice(0, MOST_NODES).map((node, place) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: nodes of a graph may share a name, and the list does not change
          <li key={`${place} ${node}`}>
            <code>{node === '' ? TARGETS.unnamed : node}</code>
          </li>
        ))}
        {more > 0 ? <li className="muted">{TARGETS.moreNodes(more)}</li> : null}
      </ul>
    </details>
  );
}
