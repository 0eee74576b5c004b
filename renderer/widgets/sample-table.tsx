/** Samples that are rows of numbers, as the model gets them: a row for each, a column for each number. */
import type { InputPreview, SamplePreview } from '../../native-workers/protocol/preview.ts';
import { formatElement } from '../text/format.ts';
import { DATA } from '../text/new-run.ts';
import { Cut } from './cut.tsx';

/** More columns than this are not read as a table. */
const MOST_COLUMNS = 64;

/** Whether all inputs of a sample are numbers or short lists of them. */
export function isTabular({ inputs }: SamplePreview): boolean {
  const columns = inputs.reduce((sum, { values }) => sum + (values?.length ?? 0), 0);
  return columns <= MOST_COLUMNS && inputs.every(({ values, shape }) => values !== undefined && shape.length <= 1);
}

export function SampleTable({ samples }: { readonly samples: readonly SamplePreview[] }) {
  const [first] = samples;
  if (first === undefined) return null;
  const [hasLabels, hasGroups] = [
    samples.some(({ label }) => label !== null),
    samples.some(({ group }) => group !== null),
  ];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region without it cannot be scrolled by keyboard
    <section className="preview-table-box" tabIndex={0} aria-label={DATA.table}>
      <table className="preview-table">
        <thead>
          <tr>
            <th scope="col">{DATA.sample}</th>
            {first.inputs.flatMap((input) =>
              namesOf(input).map((name) => (
                <th
                  key={`${input.name} ${name}`}
                  scope="col"
                  className="numeric"
                  title={`${input.name} ${input.dtype}`}
                >
                  {name}
                </th>
              )),
            )}
            {hasLabels ? <th scope="col">{DATA.label}</th> : null}
            {hasGroups ? <th scope="col">{DATA.group}</th> : null}
          </tr>
        </thead>
        <tbody>
          {samples.map(({ sample, label, group, inputs }) => (
            <tr key={sample}>
              <th scope="row">
                <Cut text={sample} />
              </th>
              {inputs.flatMap((input) =>
                namesOf(input).map((name, at) => (
                  <td key={`${input.name} ${name}`} className="numeric">
                    <Value value={input.values?.[at]} isWhole={!input.dtype.includes('float')} />
                  </td>
                )),
              )}
              {hasLabels ? <td>{label}</td> : null}
              {hasGroups ? <td>{group}</td> : null}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

interface ValueProps {
  readonly value: number | string | null | undefined;
  readonly isWhole: boolean;
}

function Value({ value, isWhole }: ValueProps) {
  if (value === null) return <span className="preview-bad">{DATA.notANumber}</span>;
  if (typeof value !== 'number') return value;
  return isWhole ? String(value) : formatElement(value);
}

/** The columns that an input comes from, else its own name with the place in it. */
function namesOf({ name, values = [], columns, shape }: InputPreview): string[] {
  return values.map((_, at) => columns?.[at] ?? (shape.length === 0 || values.length === 1 ? name : `${name}[${at}]`));
}
