/** What a model is: its signature, its operators, where its bytes are, and what should be known before it is changed. */
import type { InspectFacts } from '../../../native-workers/protocol/facts.ts';
import { formatBytes, formatCount, formatShape, formatShort } from '../../text/format.ts';
import { MODEL, opsetsText } from '../../text/new-run.ts';
import { Cut } from '../../widgets/cut.tsx';
import { ShareBar } from '../../widgets/share-bar.tsx';
import { ModelNotes } from './model-notes.tsx';
import { TensorTable } from './tensor-table.tsx';

export function ModelView({ facts }: { readonly facts: InspectFacts }) {
  return (
    <div className="model-view">
      <div className="model-column">
        <Summary facts={facts} />
        <Signature title={MODEL.inputs} tensors={facts.inputs} />
        <Signature title={MODEL.outputs} tensors={facts.outputs} />
        <ModelNotes notes={facts.notes} />
      </div>
      <div className="model-column model-column-wide">
        <section className="pane" aria-labelledby="operators">
          <h2 className="pane-title" id="operators">
            {MODEL.operators} <span className="pane-detail">{MODEL.operatorsDetail}</span>
          </h2>
          <Precision facts={facts} />
          <Operators facts={facts} />
        </section>
        <section className="pane pane-fill" aria-labelledby="tensors">
          <h2 className="pane-title" id="tensors">
            {MODEL.tensors} <span className="pane-detail">{MODEL.tensorsShown(facts.tensors.length)}</span>
          </h2>
          <TensorTable facts={facts} />
        </section>
      </div>
    </div>
  );
}

function Summary({ facts }: { readonly facts: InspectFacts }) {
  const rows: readonly (readonly [string, string])[] = [
    [MODEL.size, formatBytes(facts.bytes.total)],
    [MODEL.weights, formatBytes(facts.bytes.weights)],
    [MODEL.parameters, formatShort(facts.parameters)],
    [MODEL.macs, facts.macs === null ? MODEL.macsUnknown : formatShort(facts.macs)],
    [MODEL.nodes, formatCount(facts.nodes)],
    [MODEL.quantized, facts.quantized ? MODEL.alreadyQuantized(facts.quantization) : MODEL.notQuantized],
    [MODEL.format, `${facts.format}, IR ${facts.irVersion}`],
    [MODEL.opsets, opsetsText(facts)],
    [MODEL.producer, facts.producer || MODEL.unknownProducer],
    [MODEL.externalData, facts.externalData ? MODEL.external : MODEL.internal],
  ];
  return (
    <section className="pane" aria-labelledby="summary">
      <h2 className="pane-title" id="summary">
        {MODEL.summary}
      </h2>
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

interface SignatureProps {
  readonly title: string;
  readonly tensors: InspectFacts['inputs'];
}

function Signature({ title, tensors }: SignatureProps) {
  return (
    <section className="pane" aria-label={title}>
      <h2 className="pane-title">
        {title} <span className="pane-detail">{formatCount(tensors.length)}</span>
      </h2>
      <ul className="signature">
        {tensors.map(({ name, dtype, shape }) => (
          <li key={name} className="signature-row">
            <Cut text={name} className="mono" />
            <span className="muted">{dtype}</span>
            <span className="mono signature-shape" title={formatShape(shape)}>
              {formatShape(shape)}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}

function Precision({ facts }: { readonly facts: InspectFacts }) {
  const parts = Object.entries(facts.precision).toSorted(([, left], [, right]) => right - left);
  const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  if (total === 0) return null;
  return <ShareBar label={MODEL.precision} parts={parts.map(([name, bytes]) => ({ name, bytes }))} />;
}

/** As many rows as help; the rest is one line. */
const MOST_OPERATORS = 12;

function Operators({ facts }: { readonly facts: InspectFacts }) {
  const rows = Object.entries(facts.operators)
    .map(([type, nodes]) => ({ type, nodes, bytes: facts.bytesByOperator[type] ?? 0 }))
    .toSorted((left, right) => right.bytes - left.bytes || right.nodes - left.nodes);
  const largest = Math.max(1, ...rows.map((row) => row.bytes));
  const shown = rows.slice(0, MOST_OPERATORS);
  const rest = rows.slice(MOST_OPERATORS);
  return (
    <div className="operators-scroll">
      <table className="operators">
        <thead className="only-spoken">
          <tr>
            <th scope="col">{MODEL.operator}</th>
            <th scope="col">{MODEL.nodes}</th>
            <th scope="col">{MODEL.bytes}</th>
          </tr>
        </thead>
        <tbody>
          {shown.map(({ type, nodes, bytes }) => (
            <tr key={type}>
              <th scope="row">
                <Cut text={type} className="mono" />
              </th>
              <td className="numeric muted">{formatCount(nodes)}</td>
              <td className="operator-bytes">
                {bytes === 0 ? null : (
                  <span className="operator-bar" style={{ width: `${(100 * bytes) / largest}%` }} />
                )}
              </td>
              <td className="numeric">{bytes === 0 ? '' : formatBytes(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rest.length === 0 ? null : (
        <p className="operators-rest" title={rest.map((row) => `${row.type} ${row.nodes}`).join(', ')}>
          {MODEL.moreOperators(
            rest.length,
            rest.reduce((sum, row) => sum + row.nodes, 0),
          )}
        </p>
      )}
    </div>
  );
}
