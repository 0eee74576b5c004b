/** One sample as the model gets it: pictures, sounds or numbers after all preprocessing. */
import type { InputPreview, SamplePreview } from '../../native-workers/protocol/preview.ts';
import { formatElement, formatShape } from '../text/format.ts';
import { DATA } from '../text/new-run.ts';
import { Cut } from './cut.tsx';
import { Waveform } from './waveform.tsx';

export function SampleCard({ sample }: { readonly sample: SamplePreview }) {
  return (
    <li className="preview-sample">
      {sample.inputs.map((input) => (
        <InputCard key={input.name} input={input} sample={sample.sample} />
      ))}
      <Cut text={sample.sample} className="preview-name" />
      {sample.label === null ? null : (
        <span className="preview-label">
          <span className="muted">{DATA.label}</span> {sample.label}
        </span>
      )}
    </li>
  );
}

interface InputProps {
  readonly input: InputPreview;
  /** Its name, which describes pictures and waveforms. */
  readonly sample: string;
}

/** What can be looked at of one input, without its numbers. */
export function InputPicture({ input, sample }: InputProps) {
  const { picture, waveform, values } = input;
  return (
    <>
      {picture === undefined ? null : <img className="preview-picture" src={picture} alt={sample} />}
      {waveform === undefined ? null : <Waveform slices={waveform} label={sample} />}
      {values === undefined ? null : <code className="preview-values">{values.join(' ')}</code>}
    </>
  );
}

function InputCard({ input, sample }: InputProps) {
  const { name, dtype, shape, minimum, maximum, mean, notFinite } = input;
  return (
    <div className="preview-input">
      <InputPicture input={input} sample={sample} />
      <span className="preview-facts" title={`${name} ${dtype}`}>
        {name} {formatShape(shape)}
      </span>
      {minimum === null || maximum === null || mean === null ? null : (
        <span className="preview-facts">
          {DATA.range(formatElement(minimum), formatElement(maximum), formatElement(mean))}
        </span>
      )}
      {notFinite === 0 ? null : <span className="preview-facts preview-bad">{DATA.notFinite(notFinite)}</span>}
    </div>
  );
}
