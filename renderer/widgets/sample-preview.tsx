/** One sample as the model gets it: pictures, sounds or numbers after all preprocessing. */
import type { InputPreview, SamplePreview } from '../../native-workers/protocol/preview.ts';
import { visible } from '../../native-workers/report/text.ts';
import { formatElement, formatShape } from '../text/format.ts';
import { DATA } from '../text/new-run.ts';
import { Cut } from './cut.tsx';
import { isTabular, SampleTable } from './sample-table.tsx';
import { TokenList } from './token-list.tsx';
import { Waveform } from './waveform.tsx';

/** Rows of numbers as a table, everything else as cards: of the width that texts, sounds or pictures need. */
export function Samples({ samples }: { readonly samples: readonly SamplePreview[] }) {
  if (samples.every(isTabular)) return <SampleTable samples={samples} />;
  const inputs = samples.flatMap((sample) => sample.inputs);
  const hasText = inputs.some(({ tokens }) => tokens !== undefined);
  const hasSound = inputs.some(({ waveform }) => waveform !== undefined);
  const width = hasText ? 'preview-texts' : hasSound ? 'preview-sounds' : '';
  return (
    <ul className={`preview-samples ${width}`}>
      {samples.map((sample) => (
        <SampleCard key={sample.sample} sample={sample} />
      ))}
    </ul>
  );
}

function SampleCard({ sample: { sample, label, group, inputs } }: { readonly sample: SamplePreview }) {
  const hasText = inputs.some(({ tokens }) => tokens !== undefined);
  return (
    <li className="preview-sample">
      {inputs.map((input) => (
        <InputCard key={input.name} input={input} sample={sample} quiet={hasText && input.tokens === undefined} />
      ))}
      {hasText ? <Fact name={DATA.sample} value={sample} /> : <Cut text={sample} className="preview-name" />}
      {label === null ? null : <Fact name={DATA.label} value={label} />}
      {group === null ? null : <Fact name={DATA.group} value={group} />}
    </li>
  );
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <span className="preview-label">
      <span className="muted">{name}</span> {value}
    </span>
  );
}

interface InputProps {
  readonly input: InputPreview;
  /** Its name, which describes pictures and waveforms. */
  readonly sample: string;
}

/** What can be looked at of one input, without its numbers. */
export function InputPicture({ input, sample }: InputProps) {
  const { picture, marks, waveform, values, tokens, text, shape } = input;
  return (
    <>
      {picture === undefined ? null : <MarkedPicture picture={picture} marks={marks} sample={sample} />}
      {waveform === undefined ? null : <Waveform slices={waveform} label={sample} />}
      {text === undefined ? null : <p className="preview-text">{visible(text)}</p>}
      {tokens === undefined ? null : <TokenList label={sample} tokens={tokens} total={shape[0] ?? tokens.length} />}
      {values === undefined ? null : <code className="preview-values">{values.map(shown).join(' ')}</code>}
    </>
  );
}

interface MarkedPictureProps {
  readonly picture: string;
  readonly marks: InputPreview['marks'];
  readonly sample: string;
}

/** The picture with what its label marks: where the objects are after resizing and cropping is what has to be seen. */
function MarkedPicture({ picture, marks, sample }: MarkedPictureProps) {
  const image = <img className="preview-picture" src={picture} alt={sample} />;
  if (marks === undefined) return image;
  const { height, width, boxes, mask } = marks;
  return (
    <span className="preview-marked">
      {image}
      {mask === undefined ? null : <img className="preview-picture" src={mask} alt="" />}
      <svg className="preview-boxes" viewBox={`0 0 ${width} ${height}`} aria-hidden="true">
        {boxes.map(({ name, box: [x1, y1, x2, y2] }) => (
          <rect
            key={`${name} ${x1} ${y1} ${x2} ${y2}`}
            x={x1 * width}
            y={y1 * height}
            width={(x2 - x1) * width}
            height={(y2 - y1) * height}
          >
            <title>{name}</title>
          </rect>
        ))}
      </svg>
    </span>
  );
}

function shown(value: number | string | null): string {
  if (value === null) return DATA.notANumber;
  return typeof value === 'number' && !Number.isInteger(value) ? formatElement(value) : String(value);
}

/** `quiet`: the facts alone, for masks and positions, which the tokens show. */
function InputCard({ input, sample, quiet }: InputProps & { readonly quiet: boolean }) {
  const { name, dtype, shape, minimum, maximum, mean, notFinite, seconds, tokens, stretched } = input;
  return (
    <div className="preview-input">
      {quiet ? null : <InputPicture input={input} sample={sample} />}
      <span className="preview-facts" title={`${name} ${dtype}`}>
        {name} {formatShape(shape)}
        {seconds === undefined ? null : `, ${DATA.seconds(seconds)}`}
      </span>
      {tokens !== undefined || minimum === null || maximum === null || mean === null ? null : (
        <span className="preview-facts">
          {DATA.range(formatElement(minimum), formatElement(maximum), formatElement(mean))}
        </span>
      )}
      {stretched === true ? <span className="preview-facts">{DATA.stretched}</span> : null}
      {notFinite === 0 ? null : <span className="preview-facts preview-bad">{DATA.notFinite(notFinite)}</span>}
    </div>
  );
}
