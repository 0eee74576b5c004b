/**
 * The samples whose answer changed, side by side with what both models said. Whoever shows the report and can reach the data
 * provides the pictures; a saved report has the names and answers.
 */
import { createContext, type ReactNode, useContext, useState } from 'react';
import { plural } from '../../native-workers/report/format.ts';
import type { AccuracySection } from '../../native-workers/report/sections/accuracy.ts';
import { visible } from '../../native-workers/report/text.ts';
import { Name, Pill, type Tone } from './parts.tsx';

type Flip = AccuracySection['flips']['rows'][number];

/** Gives what is to be seen of these samples, by name; those that are not there are left out. Rejects with an `Error`. */
export type SamplePictures = (samples: readonly string[]) => Promise<ReadonlyMap<string, ReactNode>>;

export const SamplePicturesContext = createContext<SamplePictures | null>(null);

/** Samples shown at once: reading them takes a walk over the data. */
const SHOWN = 24;

export const FLIP_KINDS: Record<Flip['kind'], { readonly tone: Tone; readonly word: string }> = {
  broken: { tone: 'worse', word: 'broken' },
  fixed: { tone: 'better', word: 'fixed' },
  changed: { tone: 'neutral', word: 'changed' },
};

type Shown =
  | { readonly status: 'not-asked' | 'reading' }
  | { readonly status: 'ready'; readonly pictures: ReadonlyMap<string, ReactNode> }
  | { readonly status: 'failed'; readonly message: string };

export function FlipGallery({ rows }: { readonly rows: readonly Flip[] }) {
  const read = useContext(SamplePicturesContext);
  const [shown, setShown] = useState<Shown>({ status: 'not-asked' });
  if (read === null || rows.length === 0) return null;
  const first = rows.slice(0, SHOWN);
  const show = async (): Promise<void> => {
    setShown({ status: 'reading' });
    try {
      setShown({ status: 'ready', pictures: await read(first.map(({ sample }) => sample)) });
    } catch (error) {
      setShown({ status: 'failed', message: error instanceof Error ? error.message : String(error) });
    }
  };
  if (shown.status === 'ready') {
    return (
      <ul className="report-flips" aria-label="Samples whose answer changed, as the models were fed them">
        {first.map((flip) => (
          <FlipCard key={flip.sample} flip={flip} picture={shown.pictures.get(flip.sample)} />
        ))}
      </ul>
    );
  }
  return (
    <p>
      <button type="button" className="report-toggle" disabled={shown.status === 'reading'} onClick={() => void show()}>
        {shown.status === 'reading' ? 'Reading the samples' : `Look at ${plural(first.length, 'sample')}`}
      </button>{' '}
      <span role="status">{shown.status === 'failed' ? `They cannot be shown: ${visible(shown.message)}` : ''}</span>
    </p>
  );
}

function FlipCard({ flip, picture }: { readonly flip: Flip; readonly picture: ReactNode }) {
  const { sample, kind, label, before, after } = flip;
  const { tone, word } = FLIP_KINDS[kind];
  return (
    <li className="report-flip">
      {picture ?? <span className="report-absent">no longer in the data</span>}
      <Pill tone={tone}>{word}</Pill>
      <Name text={sample} />
      <dl>
        <dt>Label</dt>
        <dd>{label === null ? 'none' : <Name text={label} />}</dd>
        <dt>Before</dt>
        <dd>
          <Name text={before} />
        </dd>
        <dt>After</dt>
        <dd>
          <Name text={after} />
        </dd>
      </dl>
    </li>
  );
}
