/** What the run was asked to do, for the record. */
import type { Manifest } from '../../../native-workers/protocol/facts.ts';
import { formatBytes, formatWhen } from '../../text/format.ts';
import { RUN } from '../../text/run.ts';
import { Cut } from '../../widgets/cut.tsx';

export function RunFacts({ manifest }: { readonly manifest: Manifest }) {
  const rows: readonly (readonly [string, string])[] = [
    [RUN.source, `${manifest.source.name}, ${formatBytes(manifest.source.bytes)}`],
    [RUN.recipe, manifest.recipe.steps.map((step) => step.pass).join(' → ')],
    [RUN.seed, String(manifest.seed)],
    [RUN.started, formatWhen(manifest.created, Date.now())],
    [RUN.folder, manifest.id],
  ];
  return (
    <section className="pane" aria-label={RUN.recipe}>
      <dl className="facts">
        {rows.map(([name, value]) => (
          <div key={name} className="facts-row">
            <dt>{name}</dt>
            <dd>
              <Cut text={value} />
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
